/** A small Prometheus registry: counters, gauges and histograms, with labels, in the text format (version 0.0.4). */
export interface Counter {
  inc(labels?: readonly string[], by?: number): void;
}
export interface Gauge {
  set(value: number, labels?: readonly string[]): void;
  add(by: number, labels?: readonly string[]): void;
}
export interface Histogram {
  observe(value: number, labels?: readonly string[]): void;
}

interface MetricOptions {
  name: string;
  help: string;
  /** Names of the labels; `inc`, `set` and `observe` take their values in this order. */
  labels?: readonly string[];
}

export interface MetricsRegistry {
  counter(options: MetricOptions): Counter;
  gauge(options: MetricOptions): Gauge;
  histogram(options: MetricOptions & { buckets: readonly number[] }): Histogram;
  /** A value read when somebody scrapes, such as memory in use; with labels, one value for each set of theirs. */
  callback(options: { name: string; help: string; type: "gauge" | "counter"; read: () => number }): void;
  callback(options: MetricOptions & { type: "gauge" | "counter"; labels: readonly string[]; read: () => Iterable<readonly [values: readonly string[], value: number]> }): void;
  /** Called by `collect`, for values that must be asked for. Must not throw, nor take long. */
  beforeRender(prepare: () => Promise<unknown>): void;
  /** To be awaited before rendering for whoever scrapes. */
  collect(): Promise<void>;
  render(): string;
}

export const metricsContentType = "text/plain; version=0.0.4; charset=utf-8";

type Writer = () => string;

export function createMetrics(): MetricsRegistry {
  const writers = new Map<string, Writer>();
  const preparations: (() => Promise<unknown>)[] = [];

  function register(name: string, help: string, type: string, lines: () => Iterable<string>): void {
    if (writers.has(name)) throw new Error(`metric ${name} is registered twice`);
    writers.set(name, () => `# HELP ${name} ${help.replace(/\\/g, "\\\\").replace(/\n/g, "\\n")}\n# TYPE ${name} ${type}\n${[...lines()].join("")}`);
  }

  function numbers({ name, help, labels = [] }: MetricOptions, type: string): { add(by: number, values: readonly string[]): void; set(value: number, values: readonly string[]): void } {
    const series = new Map<string, { value: number; readonly labels: string }>();
    register(name, help, type, function* () {
      for (const { value, labels: rendered } of series.values()) yield `${name}${rendered} ${value}\n`;
    });
    const seriesOf = (values: readonly string[]): { value: number } => {
      const key = keyOf(values);
      let own = series.get(key);
      if (!own) series.set(key, own = { value: 0, labels: render(labels, values) });
      return own;
    };
    return {
      add: (by, values) => void (seriesOf(values).value += by),
      set: (value, values) => void (seriesOf(values).value = value),
    };
  }

  return {
    counter(options) {
      const series = numbers(options, "counter");
      return { inc: (values = [], by = 1) => series.add(by, values) };
    },
    gauge(options) {
      const series = numbers(options, "gauge");
      return { set: (value, values = []) => series.set(value, values), add: (by, values = []) => series.add(by, values) };
    },
    histogram({ name, help, labels = [], buckets }) {
      const series = new Map<string, { values: readonly string[]; counts: Float64Array; sum: number }>();
      register(name, help, "histogram", function* () {
        for (const { values, counts, sum } of series.values()) yield* histogramLines(name, labels, values, buckets, counts, sum);
      });
      return {
        observe(value, values = []) {
          const key = keyOf(values);
          let entry = series.get(key);
          if (!entry) series.set(key, entry = { values: [...values], counts: new Float64Array(buckets.length + 1), sum: 0 });
          entry.sum += value;
          let bucket = 0;
          while (bucket < buckets.length && value > buckets[bucket]!) bucket++;
          entry.counts[bucket]!++;
        },
      };
    },
    callback({ name, help, type, labels = [], read }: MetricOptions & { type: string; read: () => number | Iterable<readonly [readonly string[], number]> }) {
      register(name, help, type, () => {
        const values = read();
        return typeof values === "number" ? [`${name} ${values}\n`] : [...values].map(([labelValues, value]) => `${name}${render(labels, labelValues)} ${value}\n`);
      });
    },
    beforeRender: (prepare) => void preparations.push(prepare),
    collect: () => Promise.all(preparations.map((prepare) => prepare())).then(() => {}),
    render: () => [...writers.values()].map((write) => write()).join(""),
  };
}

const keyOf = (values: readonly string[]): string => (values.length === 1 ? values[0]! : values.join("\0"));

/** Prometheus counts cumulatively: each bucket holds all values up to its bound. */
function* histogramLines(name: string, labels: readonly string[], values: readonly string[], buckets: readonly number[], counts: Float64Array, sum: number): Iterable<string> {
  let total = 0;
  for (let i = 0; i <= buckets.length; i++) {
    total += counts[i]!;
    const bound = i < buckets.length ? String(buckets[i]) : "+Inf";
    yield `${name}_bucket${render([...labels, "le"], [...values, bound])} ${total}\n`;
  }
  yield `${name}_sum${render(labels, values)} ${sum}\n${name}_count${render(labels, values)} ${total}\n`;
}

function render(labels: readonly string[], values: readonly string[]): string {
  if (labels.length === 0) return "";
  return `{${labels.map((label, i) => `${label}="${escape(values[i] ?? "")}"`).join(",")}}`;
}

const escape = (value: string): string => (/[\\"\n]/.test(value) ? value.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n") : value);
