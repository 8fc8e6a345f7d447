import type { Frozen } from "../../../apimachinery/meta.ts";
import { addQuantities, compareQuantities, formatQuantity, parseQuantity, subtractQuantities, type Quantity } from "../../../apimachinery/quantity.ts";

/** Amounts by name of resource, such as `requests.cpu`: a ResourceList that can be reckoned with. */
export type Amounts = ReadonlyMap<string, Quantity>;

const zero: Quantity = { nano: 0n, format: "DecimalSI" };
export const countOf = (count: number): Quantity => ({ nano: BigInt(count) * 1_000_000_000n, format: "DecimalSI" });

/** What does not parse, which validation keeps out of stored objects, counts as nothing. */
export function amountsOf(list: Frozen<Record<string, string | number>> | undefined): Amounts {
  const amounts = new Map<string, Quantity>();
  for (const [name, text] of Object.entries(list ?? {})) {
    try {
      amounts.set(name, parseQuantity(text));
    } catch {
      continue;
    }
  }
  return amounts;
}

export const listOf = (amounts: Amounts): Record<string, string> => Object.fromEntries([...amounts].map(([name, amount]) => [name, formatQuantity(amount)]));

export function add(a: Amounts, b: Amounts): Amounts {
  const sum = new Map(a);
  for (const [name, amount] of b) sum.set(name, sum.has(name) ? addQuantities(sum.get(name)!, amount) : amount);
  return sum;
}

/** `a` less `b`; what would be negative is zero. */
export function subtract(a: Amounts, b: Amounts): Amounts {
  const rest = new Map<string, Quantity>();
  for (const [name, amount] of a) {
    const less = b.has(name) ? subtractQuantities(amount, b.get(name)!) : amount;
    rest.set(name, less.nano < 0n ? { ...less, nano: 0n } : less);
  }
  for (const name of b.keys()) if (!a.has(name)) rest.set(name, zero);
  return rest;
}

export const only = (amounts: Amounts, names: { has(name: string): boolean }): Amounts => new Map([...amounts].filter(([name]) => names.has(name)));
export const withoutZeros = (amounts: Amounts): Amounts => new Map([...amounts].filter(([, { nano }]) => nano !== 0n));
export const zeros = (names: readonly string[]): Amounts => new Map(names.map((name) => [name, zero]));

/** Names of which `a` has more than `limits` allows. */
export const exceeded = (a: Amounts, limits: Amounts): string[] => [...a].filter(([name, amount]) => limits.has(name) && compareQuantities(amount, limits.get(name)!) > 0).map(([name]) => name);

export const sameAmounts = (a: Amounts, b: Amounts): boolean => a.size === b.size && [...a].every(([name, amount]) => b.has(name) && compareQuantities(amount, b.get(name)!) === 0);

/** `pods=1,requests.cpu=500m`, in order of name, as quota messages have it. */
export const describeAmounts = (amounts: Amounts): string => [...amounts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, amount]) => `${name}=${formatQuantity(amount)}`).join(",");
