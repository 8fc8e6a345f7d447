import { func, method, type Library } from "../function.ts";
import { boolType, intType, stringType, structType, type CelType } from "../type.ts";
import { CelError, Opaque, type Value } from "../values/value.ts";

export const semverType: CelType = structType("kubernetes.Semver");

class SemverValue extends Opaque {
  readonly type = semverType;
  constructor(readonly numbers: readonly [bigint, bigint, bigint], readonly prerelease: readonly string[]) {
    super();
  }
  equals(other: SemverValue): boolean {
    return order(this, other) === 0;
  }
}

const grammar = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$/;

function parse(text: string, normalize = false): SemverValue | CelError {
  const plain = normalize ? normalized(text) : text;
  if (plain instanceof CelError) return plain;
  const match = grammar.exec(plain);
  if (!match) return new CelError(plain === "" ? "Version string empty" : plain.split(".").length < 3 ? "No Major.Minor.Patch elements found" : `Invalid character(s) found in version "${plain}"`);
  const numbers = match.slice(1, 4).map(BigInt) as [bigint, bigint, bigint];
  if (numbers.some((number) => number >= 2n ** 64n)) return new CelError(`strconv.ParseUint: parsing "${numbers.find((number) => number >= 2n ** 64n)}": value out of range`);
  return new SemverValue(numbers, match[4]?.split(".") ?? []);
}

/** `v1.02` → `1.2.0`. */
function normalized(text: string): string | CelError {
  const parts = splitAtDots(text.replace(/^v/, ""), 3).map((part) => (part.length > 1 ? part.replace(/^0+(?=\d)/, "") : part));
  if (parts.length < 3 && /[+-]/.test(parts.at(-1)!)) return new CelError("short version cannot contain PreRelease/Build meta data");
  while (parts.length < 3) parts.push("0");
  return parts.join(".");
}

function splitAtDots(text: string, most: number): string[] {
  const parts = text.split(".");
  return parts.length <= most ? parts : [...parts.slice(0, most - 1), parts.slice(most - 1).join(".")];
}

function order(a: SemverValue, b: SemverValue): -1 | 0 | 1 {
  for (let index = 0; index < 3; index++) if (a.numbers[index] !== b.numbers[index]) return a.numbers[index]! < b.numbers[index]! ? -1 : 1;
  if (a.prerelease.length === 0 || b.prerelease.length === 0) return a.prerelease.length === b.prerelease.length ? 0 : a.prerelease.length === 0 ? 1 : -1;
  for (let index = 0; index < Math.min(a.prerelease.length, b.prerelease.length); index++) {
    const difference = orderOfParts(a.prerelease[index]!, b.prerelease[index]!);
    if (difference !== 0) return difference;
  }
  return Math.sign(a.prerelease.length - b.prerelease.length) as -1 | 0 | 1;
}

/** Numbers before words, and by their value. */
function orderOfParts(a: string, b: string): -1 | 0 | 1 {
  const [x, y] = [a, b].map((part) => (/^\d+$/.test(part) ? BigInt(part) : undefined));
  if (x !== undefined && y !== undefined) return x < y ? -1 : x > y ? 1 : 0;
  if (x !== undefined || y !== undefined) return x !== undefined ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

const number = (index: 0 | 1 | 2) => ({ numbers }: SemverValue): Value => BigInt.asIntN(64, numbers[index]);
const valid = (text: string, normalize?: boolean): boolean => parse(text, normalize) instanceof SemverValue;

export const semver: Library = {
  semver: [func("string_to_semver", [stringType], semverType, (text: string) => parse(text)), func("string_bool_to_semver", [stringType, boolType], semverType, parse)],
  isSemver: [func("is_semver_string", [stringType], boolType, (text: string) => valid(text)), func("is_semver_string_bool", [stringType, boolType], boolType, valid)],
  isGreaterThan: [method("semver_is_greater_than", [semverType, semverType], boolType, (a: SemverValue, b: SemverValue) => order(a, b) > 0)],
  isLessThan: [method("semver_is_less_than", [semverType, semverType], boolType, (a: SemverValue, b: SemverValue) => order(a, b) < 0)],
  compareTo: [method("semver_compare_to", [semverType, semverType], intType, (a: SemverValue, b: SemverValue) => BigInt(order(a, b)))],
  major: [method("semver_major", [semverType], intType, number(0))],
  minor: [method("semver_minor", [semverType], intType, number(1))],
  patch: [method("semver_patch", [semverType], intType, number(2))],
};
