/** One metric in Prometheus' text format, worked out when somebody scrapes. */
export interface Family {
  name: string;
  help: string;
  type: "counter" | "gauge";
  points: readonly Point[];
}

export interface Point {
  labels?: Readonly<Record<string, string>>;
  value: number;
  /** Milliseconds since the epoch, where the value is of another time than the scrape. */
  at?: number;
}

/** Families without points are left out. https://prometheus.io/docs/instrumenting/exposition_formats/ */
export function exposition(families: readonly Family[]): string {
  return families.filter(({ points }) => points.length > 0).map(({ name, help, type, points }) =>
    `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${points.map(({ labels = {}, value, at }) => `${name}${rendered(labels)} ${value}${at === undefined ? "" : ` ${at}`}\n`).join("")}`).join("");
}

function rendered(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value.replace(/[\\"]/g, "\\$&").replace(/\n/g, "\\n")}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}
