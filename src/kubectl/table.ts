import type { PlainObject } from "./objects.ts";
import { ageOf } from "./times.ts";

/** The part of a meta.k8s.io/v1 Table that printing needs. */
export interface Table {
  columnDefinitions: { name: string; type: string; format?: string; priority?: number }[];
  rows?: { cells: unknown[]; object?: { metadata: { name?: string; namespace?: string; labels?: Record<string, string> } } }[];
  metadata?: { resourceVersion?: string; continue?: string };
}

/** The answer to a request for a Table; servers of other APIs may know none, and then names and ages must do. */
export function tableOf(answer: Table | PlainObject): Table {
  if ("columnDefinitions" in answer) return answer as Table;
  const { items, metadata } = answer as PlainObject;
  const rows = (items ?? [answer as PlainObject]).map((object) => ({ cells: [object.metadata.name, ageOf(object.metadata.creationTimestamp)], object: object as { metadata: PlainObject["metadata"] } }));
  return { columnDefinitions: [{ name: "Name", type: "string", format: "name" }, { name: "Age", type: "string" }], rows, ...(items ? { metadata: metadata as NonNullable<Table["metadata"]> } : {}) };
}

export interface TableLook {
  wide?: boolean;
  headers?: boolean;
  namespace?: boolean;
  /** In front of each name, as `pod/`, where several types are listed. */
  prefix?: string;
  showLabels?: boolean;
  labelColumns?: readonly string[];
}

/** Rows of a Table as texts, the header first unless it isn't wanted. */
export function tableLines(table: Table, { wide = false, headers = true, namespace = false, prefix = "", showLabels = false, labelColumns = [] }: TableLook): string[][] {
  const shown = table.columnDefinitions.map(({ priority = 0 }, index) => ({ index, priority })).filter(({ priority }) => wide || priority === 0);
  const header = [
    ...(namespace ? ["NAMESPACE"] : []), ...shown.map(({ index }) => table.columnDefinitions[index]!.name.toUpperCase()),
    ...labelColumns.map((label) => label.slice(label.lastIndexOf("/") + 1).toUpperCase()), ...(showLabels ? ["LABELS"] : []),
  ];
  const nameColumn = table.columnDefinitions.findIndex(({ name, format }) => format === "name" || name === "Name");
  const rows = (table.rows ?? []).map(({ cells, object }) => {
    const labels = object?.metadata.labels ?? {};
    return [
      ...(namespace ? [object?.metadata.namespace ?? ""] : []),
      ...shown.map(({ index }) => (index === nameColumn ? prefix : "") + cellText(cells[index])),
      ...labelColumns.map((label) => labels[label] ?? ""),
      ...(showLabels ? [labelText(labels)] : []),
    ];
  });
  return headers ? [header, ...rows] : rows;
}

/** One line of a cell, as kubectl cuts it. */
function cellText(cell: unknown): string {
  const text = cell === null || cell === undefined ? "" : String(cell);
  const end = text.search(/[\f\n\r]/);
  return end < 0 ? text : `${text.slice(0, end)}...`;
}

export const labelText = (labels: Record<string, string> | undefined, separator = ","): string =>
  Object.entries(labels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => `${name}=${value}`).join(separator) || "<none>";

const padding = 3, narrowest = 6;

/** Columns as kubectl's tabwriter aligns them: three spaces after the widest cell, at least six characters; the last cell ends its line. */
export function aligned(lines: readonly (readonly string[])[], widths = columnWidths(lines)): string {
  return lines.map((line) => `${line.map((cell, column) => (column === line.length - 1 ? cell : cell + " ".repeat(Math.max(0, Math.max(narrowest, widths[column]! + padding) - Bun.stringWidth(cell))))).join("")}\n`).join("");
}

/** Those of `known`, widened where a line needs it: tables that go on keep their columns. */
export function columnWidths(lines: readonly (readonly string[])[], known: readonly number[] = []): number[] {
  const widths = [...known];
  for (const line of lines) for (const [column, cell] of line.entries()) widths[column] = Math.max(widths[column] ?? 0, Bun.stringWidth(cell));
  return widths;
}
