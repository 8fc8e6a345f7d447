import { ageOf } from "../times.ts";
import type { Event } from "../../apis/generated/core/v1.ts";

/** Text in the making: indented lines whose cells, parted by tabs, are aligned with their neighbours'. */
export class Description {
  readonly #lines: string[] = [];

  /** A line, or several that begin alike. Level 1 is two spaces in. */
  line(level: number, text: string): this {
    this.#lines.push("  ".repeat(level) + text);
    return this;
  }

  /** `Name:\tvalue`, left out when there is no value. */
  field(level: number, name: string, value: unknown): this {
    return value === undefined || value === null || value === "" ? this : this.line(level, `${name}:\t${shown(value)}`);
  }

  /** A title with the first entry beside it and the others below; `<none>` without any. */
  entries(title: string, entries: readonly string[], indent = ""): this {
    if (entries.length === 0) return this.line(0, `${indent}${title}:\t<none>`);
    entries.forEach((entry, index) => this.line(0, index === 0 ? `${indent}${title}:\t${entry}` : `\t${entry}`));
    return this;
  }

  labels(title: string, labels: Record<string, string> | undefined, indent = "", skip: readonly string[] = []): this {
    return this.entries(title, sortedEntries(labels).filter(([key]) => !skip.includes(key)).map(([key, value]) => `${key}=${value}`), indent);
  }

  annotations(annotations: Record<string, string> | undefined, indent = "", title = "Annotations"): this {
    const entries = sortedEntries(annotations).filter(([key]) => key !== "kubectl.kubernetes.io/last-applied-configuration").flatMap(([key, value]) => {
      const text = value.replace(/\n$/, "");
      if (text.length + key.length + 2 <= longestAnnotation && !text.includes("\n")) return [`${key}: ${text}`];
      return [`${key}:`, ...text.split("\n").map((line) => `  ${line.length > longestAnnotation - 2 ? `${line.slice(0, longestAnnotation - 2)}...` : line}`)];
    });
    return this.entries(title, entries, indent);
  }

  /** What happened to the object; a table of its own. */
  events(events: readonly Event[]): this {
    if (events.length === 0) return this.line(0, "Events:\t<none>");
    this.line(0, "Events:").line(1, "Type\tReason\tAge\tFrom\tMessage").line(1, "----\t------\t----\t----\t-------");
    const time = ({ series, lastTimestamp, eventTime, firstTimestamp }: Event): string => (series?.lastObservedTime ?? lastTimestamp ?? eventTime ?? firstTimestamp) ?? "";
    for (const event of events.toSorted((a, b) => (time(a) < time(b) ? -1 : 1))) {
      const since = ageOf(event.eventTime ?? event.firstTimestamp), { series, count = 0 } = event;
      const age = series ? `${ageOf(series.lastObservedTime)} (x${series.count} over ${since})` : count > 1 ? `${ageOf(event.lastTimestamp)} (x${count} over ${since})` : since;
      const place = event.involvedObject.fieldPath;
      this.line(1, `${event.type ?? ""}\t${event.reason ?? ""}\t${age}\t${event.source?.component || event.reportingComponent || ""}\t${place ? `${place}: ` : ""}${(event.message ?? "").trim()}`);
    }
    return this;
  }

  /** With the tabs as they are. */
  get raw(): string {
    return this.#lines.map((line) => `${line}\n`).join("");
  }

  toString(): string {
    return aligned(this.#lines.join("\n").split("\n"));
  }
}

const longestAnnotation = 140;
const sortedEntries = (map: Record<string, string> | undefined): [string, string][] => Object.entries(map ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
const shown = (value: unknown): string => (Array.isArray(value) ? value.join(",") : String(value));

/** Cells that stand below each other in neighbouring lines are as wide as the widest of them and two spaces, as Go's text/tabwriter makes it. */
export function aligned(lines: readonly string[]): string {
  const cells = lines.map((line) => line.split("\t"));
  const widths: number[][] = cells.map(() => []);
  const layOut = (from: number, to: number, column: number): void => {
    for (let row = from; row < to; row++) {
      let end = row, width = 0;
      for (; end < to && cells[end]!.length - 1 > column; end++) width = Math.max(width, Bun.stringWidth(cells[end]![column]!) + 2);
      if (end === row) continue;
      for (let each = row; each < end; each++) widths[each]![column] = width;
      layOut(row, end, column + 1);
      row = end - 1;
    }
  };
  layOut(0, cells.length, 0);
  return cells.map((line, row) => `${line.map((cell, column) => (column === line.length - 1 ? cell : cell + " ".repeat(widths[row]![column]! - Bun.stringWidth(cell)))).join("")}\n`).join("");
}
