/**
 * Kubernetes' fixed-point numbers (k8s.io/apimachinery/pkg/api/resource): exact to a nano, at most 2^63-1.
 * Most callers have strings, as objects do; every function takes those too.
 */
export interface Quantity {
  readonly nano: bigint;
  readonly format: QuantityFormat;
}
export type QuantityFormat = "DecimalSI" | "BinarySI" | "DecimalExponent";
export type QuantityLike = Quantity | string | number;

const giga = 1_000_000_000n;
const largest = (2n ** 63n - 1n) * giga;
const grammar = /^([+-]?)(\d*)(?:\.(\d*))?((?:[numkMGTPE]|[KMGTPE]i)?|[eE][+-]?\d+)$/;
const looseGrammar = /^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$/;
const decimalSuffixes = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
const binarySuffixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
/** Already canonical, which most quantities are: below 1000 of a unit, and too small to be capped. */
const evident = /^[1-9]\d{0,2}(?:[numkMGTP]|[KMGTP]i)?$/;

/** Throws an Error worded as Kubernetes words it. */
export function parseQuantity(text: string | number): Quantity {
  const match = grammar.exec(String(text).trim());
  if (!match || !(match[2] || match[3])) throw new Error(refusal(String(text)));
  const [, sign, whole = "", fraction = "", suffix = ""] = match;
  const [factor, divisor, format] = scaleOf(suffix);
  const digits = BigInt(whole + fraction || "0") * factor * giga;
  const nano = min(divideUp(digits, divisor * 10n ** BigInt(fraction.length)), largest);
  return { nano: sign === "-" ? -nano : nano, format };
}

function refusal(text: string): string {
  if (text.trim() === "") return "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
  const loose = looseGrammar.exec(text.trim());
  if (loose && !(loose[1]!.split(".").length > 2)) return "unable to parse quantity's suffix";
  return "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
}

/** What a suffix multiplies and divides by. */
function scaleOf(suffix: string): [factor: bigint, divisor: bigint, format: QuantityFormat] {
  const binary = binarySuffixes.indexOf(suffix);
  if (binary > 0) return [1024n ** BigInt(binary), 1n, "BinarySI"];
  const decimal = decimalSuffixes.indexOf(suffix);
  const exponent = decimal >= 0 ? (decimal - 3) * 3 : clamp(Number(suffix.slice(1)));
  const format = decimal >= 0 ? "DecimalSI" : "DecimalExponent";
  return exponent >= 0 ? [10n ** BigInt(exponent), 1n, format] : [1n, 10n ** BigInt(-exponent), format];
}

/** Beyond these a quantity is capped or rounded anyway; a huge power must not cost memory. */
const clamp = (exponent: number): number => Math.max(-40, Math.min(40, exponent));
const min = (a: bigint, b: bigint): bigint => (a < b ? a : b);

/** Divides and rounds away from zero. */
function divideUp(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  return value % divisor === 0n ? quotient : value < 0n ? quotient - 1n : quotient + 1n;
}

export const quantityOf = (value: QuantityLike): Quantity => (typeof value === "object" ? value : parseQuantity(value));

/** The canonical form: no fraction, the largest suffix that keeps it exact. */
export function formatQuantity({ nano, format }: Quantity): string {
  if (nano === 0n) return "0";
  const magnitude = nano < 0n ? -nano : nano;
  if (format === "BinarySI" && magnitude >= 1024n * giga && magnitude % giga === 0n) {
    const [mantissa, power] = withoutFactors(nano / giga, 1024n, binarySuffixes.length - 1);
    return `${mantissa}${binarySuffixes[power]}`;
  }
  const [mantissa, power] = withoutFactors(nano, 1000n, decimalSuffixes.length - 1);
  const exponent = power * 3 - 9;
  if (format === "DecimalExponent") return exponent === 0 ? `${mantissa}` : `${mantissa}e${exponent}`;
  return `${mantissa}${decimalSuffixes[power]}`;
}

function withoutFactors(value: bigint, base: bigint, most: number): [mantissa: bigint, power: number] {
  let power = 0;
  while (power < most && value % base === 0n) {
    value /= base;
    power++;
  }
  return [value, power];
}

/** `0.5Gi` → `512Mi`, `1000m` → `1`. Throws as `parseQuantity` does. */
export function canonicalQuantity(text: string | number): string {
  return typeof text === "string" && evident.test(text) ? text : formatQuantity(parseQuantity(text));
}

export function compareQuantities(a: QuantityLike, b: QuantityLike): -1 | 0 | 1 {
  const left = quantityOf(a).nano, right = quantityOf(b).nano;
  return left < right ? -1 : left > right ? 1 : 0;
}

/** The sum keeps `a`'s format, unless `a` is zero. */
export function addQuantities(a: QuantityLike, b: QuantityLike): Quantity {
  const left = quantityOf(a), right = quantityOf(b);
  return { nano: left.nano + right.nano, format: left.nano === 0n ? right.format : left.format };
}

export function subtractQuantities(a: QuantityLike, b: QuantityLike): Quantity {
  const right = quantityOf(b);
  return addQuantities(a, { nano: -right.nano, format: right.format });
}

/** The amount in whole units, rounded away from zero: bytes of memory, cores of CPU. */
export const value = (quantity: QuantityLike): number => Number(divideUp(quantityOf(quantity).nano, giga));
/** The amount in thousandths, rounded away from zero: millicores. */
export const milliValue = (quantity: QuantityLike): number => Number(divideUp(quantityOf(quantity).nano, 1_000_000n));
