import { formatQuantity, parseQuantity } from "../../apimachinery/quantity.ts";

/** Amounts are kept to a thousandth, rounded up. What does not parse is left for validation to report. */
export function roundAmounts(amounts: Record<string, string | number> | undefined): void {
  for (const [name, amount] of Object.entries(amounts ?? {})) {
    if (typeof amount === "number" || !/[nu]$|\.\d{4}/.test(amount)) continue;
    try {
      const { nano, format } = parseQuantity(amount);
      const excess = nano % 1_000_000n;
      if (excess !== 0n) amounts![name] = formatQuantity({ nano: nano - excess + (nano > 0n ? 1_000_000n : 0n), format });
    } catch {
      continue;
    }
  }
}
