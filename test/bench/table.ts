import { quantile, type Row } from "./measure.ts";

/** The rows as a Markdown table, which reads as well in a terminal. */
export function printTable(rows: readonly Row[]): string {
  const cells = [["", "median", "", "range"], ...rows.map((row) => [row.what, shown(quantile(row.values, 0.5)), row.unit, noteOf(row)])];
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string => `| ${row.map((cell, column) => (column === 1 ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!))).join(" | ")} |`;
  const rule = `|${widths.map((width, column) => (column === 1 ? `${"-".repeat(width + 1)}:` : "-".repeat(width + 2))).join("|")}|`;
  return `${[line(cells[0]!), rule, ...cells.slice(1).map(line)].join("\n")}\n`;
}

/** What is shown beside the median. */
export const noteOf = ({ values, note }: Row): string => note ?? (values.length > 1 ? `${shown(Math.min(...values))}–${shown(Math.max(...values))}, ${values.length} runs` : "");

const shown = (value: number): string => (value >= 100 ? Math.round(value).toLocaleString("en-US") : value >= 10 ? value.toFixed(1) : value.toFixed(2));
