import type { Frozen } from "../../apimachinery/meta.ts";
import { addQuantities, formatQuantity, parseQuantity } from "../../apimachinery/quantity.ts";
import type { Column } from "../../apimachinery/resource.ts";

/** CPU, memory and window, as metrics-server shows them in tables. */
export function usageColumns<T extends { window: string }>(usages: (object: Frozen<T>) => readonly Readonly<Record<string, string>>[]): Column<T>[] {
  const total = (resource: string) => (object: Frozen<T>): string =>
    formatQuantity(usages(object).map((usage) => parseQuantity(usage[resource] ?? "0")).reduce(addQuantities, parseQuantity("0")));
  return [
    { name: "cpu", type: "string", format: "quantity", value: total("cpu") },
    { name: "memory", type: "string", format: "quantity", value: total("memory") },
    { name: "Window", type: "string", format: "duration", value: (object) => (object as { window: string }).window },
  ];
}
