import { createMetrics, type Counter, type Gauge, type Histogram, type MetricsRegistry } from "../base/metrics.ts";

/** What is counted, with kube-scheduler's names. Source: kubernetes pkg/scheduler/metrics. */
export interface SchedulerMetrics {
  /** result, profile; result is scheduled, unschedulable or error. */
  readonly scheduleAttempts: Counter;
  readonly attemptDuration: Histogram;
  readonly algorithmDuration: Histogram;
  /** attempts */
  readonly sliDuration: Histogram;
  readonly attempts: Histogram;
  /** queue, event */
  readonly incomingPods: Counter;
  /** extension_point, status, profile */
  readonly extensionPointDuration: Histogram;
  /** plugin, extension_point, status */
  readonly pluginDuration: Histogram;
  /** result */
  readonly permitWaitDuration: Histogram;
  readonly preemptionAttempts: Counter;
  readonly preemptionVictims: Histogram;
  /** plugin, profile */
  readonly unschedulablePods: Gauge;
  readonly scheduledAfterFlush: Counter;
  /** Read when somebody looks: pods by queue, and things in the cache by type. */
  watch(sizes: { pending(): Iterable<readonly [string[], number]>; cache(): Iterable<readonly [string[], number]> }): void;
}

const exponential = (start: number, factor: number, count: number): number[] => Array.from({ length: count }, (_, i) => start * factor ** i);

export function createSchedulerMetrics(registry: MetricsRegistry = createMetrics()): SchedulerMetrics {
  const counter = (name: string, help: string, ...labels: string[]): Counter => registry.counter({ name: `scheduler_${name}`, help, labels });
  const histogram = (name: string, help: string, buckets: readonly number[], ...labels: string[]): Histogram => registry.histogram({ name: `scheduler_${name}`, help, labels, buckets });
  let watched: Parameters<SchedulerMetrics["watch"]>[0] | undefined;
  return {
    scheduleAttempts: counter("schedule_attempts_total", "Number of attempts to schedule pods, by the result. 'unschedulable' means a pod could not be scheduled, while 'error' means an internal scheduler problem.", "result", "profile"),
    attemptDuration: histogram("scheduling_attempt_duration_seconds", "Scheduling attempt latency in seconds (scheduling algorithm + binding)", exponential(0.001, 2, 15), "result", "profile"),
    algorithmDuration: histogram("scheduling_algorithm_duration_seconds", "Scheduling algorithm latency in seconds", exponential(0.001, 2, 15)),
    sliDuration: histogram("pod_scheduling_sli_duration_seconds", "E2e latency for a pod being scheduled, from the time the pod enters the scheduling queue and might involve multiple scheduling attempts.", exponential(0.01, 2, 20), "attempts"),
    attempts: histogram("pod_scheduling_attempts", "Number of attempts to successfully schedule a pod.", exponential(1, 2, 5)),
    incomingPods: counter("queue_incoming_pods_total", "Number of pods added to scheduling queues by event and queue type.", "queue", "event"),
    extensionPointDuration: histogram("framework_extension_point_duration_seconds", "Latency for running all plugins of a specific extension point.", exponential(0.0001, 2, 12), "extension_point", "status", "profile"),
    pluginDuration: histogram("plugin_execution_duration_seconds", "Duration for running a plugin at a specific extension point.", exponential(0.00001, 1.5, 20), "plugin", "extension_point", "status"),
    permitWaitDuration: histogram("permit_wait_duration_seconds", "Duration of waiting on permit.", exponential(0.001, 2, 15), "result"),
    preemptionAttempts: counter("preemption_attempts_total", "Total preemption attempts in the cluster till now"),
    preemptionVictims: histogram("preemption_victims", "Number of selected preemption victims", exponential(1, 2, 7)),
    unschedulablePods: registry.gauge({ name: "scheduler_unschedulable_pods", help: "The number of unschedulable pods broken down by plugin name. A pod will increment the gauge for all plugins that caused it to not schedule and so this metric have meaning only when broken down by plugin.", labels: ["plugin", "profile"] }),
    scheduledAfterFlush: counter("pod_scheduled_after_flush_total", "Number of pods that were successfully scheduled after being flushed from unschedulablePods due to timeout. This metric helps detect potential queueing hint misconfigurations or event handling issues."),
    watch(sizes) {
      const first = !watched;
      watched = sizes;
      if (!first) return;
      registry.callback({ name: "scheduler_pending_pods", help: "Number of pending pods, by the queue type. 'active' means number of pods in activeQ; 'backoff' means number of pods in backoffQ; 'unschedulable' means number of pods in unschedulablePods that the scheduler attempted to schedule and failed; 'gated' is the number of unschedulable pods that the scheduler never attempted to schedule because they are gated.", type: "gauge", labels: ["queue"], read: () => watched!.pending() });
      registry.callback({ name: "scheduler_cache_size", help: "Number of nodes, pods, and assumed (bound) pods in the scheduler cache.", type: "gauge", labels: ["type"], read: () => watched!.cache() });
    },
  };
}

/** Times a profile's extension points. */
export class PointDurations {
  readonly #metrics: SchedulerMetrics;
  readonly #profile: string;

  constructor(metrics: SchedulerMetrics, profile: string) {
    this.#metrics = metrics;
    this.#profile = profile;
  }

  /** `status` is the code that the point ended with. `since` is a `performance.now()`. */
  observe(point: string, since: number, status = "Success"): void {
    this.#metrics.extensionPointDuration.observe((performance.now() - since) / 1000, [point, status, this.#profile]);
  }

  during<T extends { status: { code: string } | undefined } | undefined>(point: string, work: () => T): T {
    const since = performance.now();
    const result = work();
    this.observe(point, since, result?.status?.code);
    return result;
  }

  async duringAsync<T extends { code: string } | undefined>(point: string, work: () => Promise<T>): Promise<T> {
    const since = performance.now();
    const result = await work();
    this.observe(point, since, result?.code);
    return result;
  }

  permitWaited(seconds: number, result: string): void {
    this.#metrics.permitWaitDuration.observe(seconds, [result]);
  }
}
