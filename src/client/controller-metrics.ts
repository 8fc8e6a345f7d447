import type { MetricsRegistry } from "../base/metrics.ts";
import type { QueueMetrics, Workqueue } from "../base/workqueue.ts";

/** What controllers tell of their work, by the names of client-go's workqueue and of controller-runtime. One for all controllers of a process. */
export interface ControllerMetrics {
  /** The hooks of one controller's queue. */
  queue(controller: string): QueueMetrics;
  /** Counts the queue's work under way, until the returned function is called. */
  follow(controller: string, queue: Workqueue): () => void;
  /** A reconcile that will be tried again (`error`), was given up (`terminal`), or threw what no server answers (`panic`). */
  failed(controller: string, kind: "error" | "terminal" | "panic"): void;
}

/** Seconds: 10 ns to 10 s and ten times that, as client-go's. */
const durations = Array.from({ length: 10 }, (_, i) => Number(`1e${i - 8}`));

export function createControllerMetrics(metrics: MetricsRegistry): ControllerMetrics {
  const labels = ["name"];
  const depth = metrics.gauge({ name: "workqueue_depth", help: "Current depth of workqueue", labels });
  const adds = metrics.counter({ name: "workqueue_adds_total", help: "Total number of adds handled by workqueue", labels });
  const retries = metrics.counter({ name: "workqueue_retries_total", help: "Total number of retries handled by workqueue", labels });
  const waits = metrics.histogram({ name: "workqueue_queue_duration_seconds", help: "How long in seconds an item stays in workqueue before being requested.", labels, buckets: durations });
  const works = metrics.histogram({ name: "workqueue_work_duration_seconds", help: "How long in seconds processing an item from workqueue takes.", labels, buckets: durations });
  const errors = metrics.counter({ name: "controller_runtime_reconcile_errors_total", help: "Total number of reconciliation errors per controller", labels: ["controller"] });
  const terminal = metrics.counter({ name: "controller_runtime_terminal_reconcile_errors_total", help: "Total number of terminal reconciliation errors per controller", labels: ["controller"] });
  const panics = metrics.counter({ name: "controller_runtime_reconcile_panics_total", help: "Total number of reconciliation panics per controller", labels: ["controller"] });
  const queues = new Map<string, Set<Workqueue>>();
  const workingFor = function* (sum: (times: number[]) => number): Iterable<readonly [readonly string[], number]> {
    for (const [name, all] of queues) yield [[name], sum([...all].flatMap((queue) => [...queue.workingFor()])) / 1000];
  };
  metrics.callback({ name: "workqueue_unfinished_work_seconds", help: "How many seconds of work has done that is in progress and hasn't been observed by work_duration.", type: "gauge", labels, read: () => workingFor((times) => times.reduce((a, b) => a + b, 0)) });
  metrics.callback({ name: "workqueue_longest_running_processor_seconds", help: "How many seconds has the longest running processor for workqueue been running.", type: "gauge", labels, read: () => workingFor((times) => Math.max(0, ...times)) });

  return {
    queue(controller) {
      const values = [controller];
      return {
        added(now) {
          adds.inc(values);
          depth.set(now, values);
        },
        taken(now, waited) {
          depth.set(now, values);
          waits.observe(waited / 1000, values);
        },
        done: (took) => works.observe(took / 1000, values),
        retried: () => retries.inc(values),
      };
    },
    follow(controller, queue) {
      const all = queues.get(controller) ?? new Set();
      queues.set(controller, all.add(queue));
      return () => void all.delete(queue);
    },
    failed(controller, kind) {
      errors.inc([controller]);
      if (kind === "terminal") terminal.inc([controller]);
      if (kind === "panic") panics.inc([controller]);
    },
  };
}
