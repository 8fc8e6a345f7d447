import type { Clock } from "../base/clock.ts";
import { DelayHeap } from "../base/delay-heap.ts";
import type { Frozen } from "../apimachinery/meta.ts";
import type { Pod } from "../apis/generated/core/v1.ts";
import { labelOf, podActions, type ClusterEvent } from "./cluster-events.ts";
import type { AnyPlugin, QueuedPodInfo } from "./framework.ts";
import type { PodNominator } from "./nominator.ts";
import { podInfo } from "./pod-info.ts";
import { PriorityHeap } from "./priority-heap.ts";
import type { Profile } from "./profile.ts";
import { QueuedPod, type QueueState } from "./queued-pod.ts";
import { RequeueJudge, type Requeue } from "./requeue.ts";
import type { SchedulerMetrics } from "./scheduler-metrics.ts";

/** Source: kube-scheduler's podMaxInUnschedulablePodsDuration. */
const longestUnschedulable = 5 * 60_000;

export interface QueueOptions {
  clock: Clock;
  profiles: ReadonlyMap<string, Pick<Profile, "plugins" | "interests">>;
  nominator: PodNominator;
  metrics: SchedulerMetrics;
  /** Who goes first. */
  sort(a: QueuedPodInfo, b: QueuedPodInfo): number;
  /** In milliseconds; a `max` of 0 is no back-off. */
  backoff?: { initial: number; max: number };
}

/** An entry of a heap; out of date when the pod has moved on since. */
interface Place extends QueuedPodInfo {
  readonly entry: QueuedPod;
  readonly order: number;
  readonly until: number;
}

/**
 * Pods waiting for a node: those to be tried, in the order of queueSort; those in back-off; those that wait for the cluster to change; those
 * that plugins don't let in yet. One timer, and only while pods wait for a time. Source: kubernetes pkg/scheduler/backend/queue.
 */
export class SchedulingQueue {
  readonly #options: QueueOptions;
  readonly #backoff: { initial: number; max: number };
  readonly #judge: RequeueJudge;
  readonly #pods = new Map<string, QueuedPod>();
  /** Those of `#pods` that are unschedulable or gated. */
  readonly #waiting = new Set<QueuedPod>();
  readonly #active: PriorityHeap<Place>;
  /** Tried before their time when nothing else is to do; pods whose attempts went wrong aren't among them. */
  readonly #early: PriorityHeap<Place>;
  readonly #times = new DelayHeap<string>();
  /** Events while pods are being decided on, from number `#logStart` on; oldest pod first. */
  readonly #log: ClusterEvent[] = [];
  readonly #inFlight = new Map<string, QueuedPod>();
  #logStart = 0;
  #order = 0;
  /** Grows with every change that it was told of and a plugin cares about. */
  version = 0;
  #wake: (() => void) | undefined;
  #timer: { at: number; cancel: AbortController } | undefined;
  #closed = false;

  constructor(options: QueueOptions) {
    this.#options = options;
    this.#backoff = options.backoff ?? { initial: 1000, max: 10_000 };
    this.#judge = new RequeueJudge(options.profiles);
    this.#active = new PriorityHeap((a, b) => options.sort(a, b) || a.order - b.order);
    this.#early = new PriorityHeap((a, b) => window(a.until) - window(b.until) || options.sort(a, b) || a.order - b.order);
  }

  get size(): number {
    return this.#pods.size;
  }

  /** How many pods there are in each state. */
  sizes(): Record<QueueState, number> {
    const sizes = { active: 0, taken: 0, backoff: 0, unschedulable: 0, gated: 0 };
    for (const { state } of this.#pods.values()) sizes[state]++;
    return sizes;
  }

  get(uid: string): QueuedPod | undefined {
    return this.#pods.get(uid);
  }

  /** A pod that wants a node. */
  add(pod: Frozen<Pod>, label = "UnschedulablePodAdd"): void {
    const entry = new QueuedPod(pod, this.#now);
    this.#pods.set(entry.uid, entry);
    if (this.#activate(entry, label)) this.#options.nominator.set(podInfo(pod));
  }

  update(old: Frozen<Pod>, pod: Frozen<Pod>): void {
    const entry = this.#pods.get(pod.metadata.uid!);
    if (!entry) return this.add(pod, "UnschedulablePodUpdate");
    entry.pod = pod;
    const events = podActions(old, pod).map((action): ClusterEvent => ({ resource: "UnschedulablePod", action, old, current: pod }));
    if (entry.state === "taken") return this.#record(...events);
    this.#options.nominator.update(old, pod);
    for (const event of events) if (this.#waiting.has(entry)) this.#requeue(entry, this.#judge.consider(event)?.judge(entry) ?? "skip", labelOf(event));
  }

  /** The pod is gone, has a node, or isn't ours any more. */
  remove(uid: string): void {
    const entry = this.#pods.get(uid);
    if (!entry) return;
    this.done(entry);
    if (entry.state !== "taken") this.#blame(entry, -1);
    this.#pods.delete(uid);
    this.#waiting.delete(entry);
    this.#options.nominator.delete(uid);
  }

  /** Moves on the pods that may fit after such a change; with `which`, of those alone. */
  moveOn(event: ClusterEvent, which?: (pod: Frozen<Pod>) => boolean): void {
    const judge = this.#judge.consider(event);
    if (!judge) return;
    this.version++;
    for (const entry of Array.from(this.#waiting)) {
      if (which && !which(entry.pod)) continue;
      if (entry.state === "gated" && !judge.mayOpen(entry)) continue;
      const verdict = judge.judge(entry);
      if (verdict !== "skip") this.#requeue(entry, verdict, labelOf(event));
    }
    this.#record(event);
  }

  /** What a plugin did for the pod after its attempt has failed: it needn't wait for a change, only out a back-off. */
  backOff(pod: Frozen<Pod>): void {
    const entry = this.#pods.get(pod.metadata.uid!);
    if (entry?.state === "taken") return this.#record({ resource: "*", action: "All", current: pod, label: "ForceActivate" });
    if (!entry || !this.#waiting.has(entry)) return;
    entry.errors++;
    this.#startBackoff(entry);
    this.#requeue(entry, "backoff", "ForceActivate");
  }

  /** The next pod to try, when there is one; undefined after `close`. What happens until `done`, `reject` or `retryLater` isn't lost on it. */
  async take(): Promise<QueuedPod | undefined> {
    while (!this.#closed) {
      const entry = this.#next(this.#active, "active") ?? this.#next(this.#early, "backoff");
      if (entry) return this.#taken(entry);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return undefined;
  }

  /** Nothing can make the pod unschedulable any more. */
  done(entry: QueuedPod): void {
    if (!this.#inFlight.delete(entry.uid)) return;
    const [oldest] = this.#inFlight.values();
    const start = oldest?.seen ?? this.#logStart + this.#log.length;
    this.#log.splice(0, start - this.#logStart);
    this.#logStart = start;
    entry.seen = undefined;
  }

  /** No node will do: the pod waits for a change that concerns one of `rejectors`; when one of `pending` says so, without back-off. False when the pod has left the queue meanwhile. */
  reject(entry: QueuedPod, rejectors: ReadonlySet<string>, pending: ReadonlySet<string>): boolean {
    entry.rejections++;
    entry.errors = 0;
    entry.rejectors = rejectors;
    entry.pending = pending;
    return this.#putBack(entry, this.#missed(entry));
  }

  /** Something went wrong that has nothing to do with the pod: tried again after its back-off. False as of `reject`. */
  retryLater(entry: QueuedPod): boolean {
    entry.errors++;
    entry.clearRejectors();
    return this.#putBack(entry, "backoff");
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel.abort();
    this.#wake?.();
  }

  get #now(): number {
    return this.#options.clock.monotonic();
  }

  #taken(entry: QueuedPod): QueuedPod {
    entry.state = "taken";
    entry.attempts++;
    entry.until = 0;
    entry.seen = this.#logStart + this.#log.length;
    this.#inFlight.set(entry.uid, entry);
    this.#blame(entry, -1);
    return entry;
  }

  /** What the events since the pod was taken mean to it. */
  #missed(entry: QueuedPod): Requeue {
    let verdict: Requeue = "skip";
    for (const event of entry.seen === undefined ? [] : this.#log.slice(entry.seen - this.#logStart)) {
      const one = this.#judge.consider(event)?.judge(entry);
      if (one === "now") return one;
      if (one === "backoff") verdict = one;
    }
    return verdict;
  }

  #putBack(entry: QueuedPod, verdict: Requeue): boolean {
    this.done(entry);
    if (this.#pods.get(entry.uid) !== entry) return false;
    this.#blame(entry, 1);
    entry.flushed = false;
    this.#startBackoff(entry);
    this.#requeue(entry, verdict, "ScheduleAttemptFailure");
    return true;
  }

  #startBackoff(entry: QueuedPod): void {
    const { initial, max } = this.#backoff;
    entry.timestamp = this.#now;
    entry.until = max === 0 ? 0 : entry.timestamp + Math.min(max, initial * 2 ** ((entry.errors || entry.rejections) - 1));
  }

  #record(...events: ClusterEvent[]): void {
    if (this.#inFlight.size > 0) this.#log.push(...events);
  }

  #blame({ rejectors, pod }: QueuedPod, by: 1 | -1): void {
    for (const plugin of rejectors) if (plugin) this.#options.metrics.unschedulablePods.add(by, [plugin, pod.spec.schedulerName!]);
  }

  #requeue(entry: QueuedPod, verdict: Requeue, label: string): void {
    if (verdict === "skip") return this.#wait(entry, entry.gate ? "gated" : "unschedulable", label);
    if (verdict === "now" || entry.until <= this.#now) return void this.#activate(entry, label);
    if (!this.#admits(entry)) return this.#wait(entry, "gated", label);
    this.#enter(entry, "backoff", label);
    if (entry.errors === 0) this.#early.add(this.#place(entry));
    this.#waitUntil(entry, entry.until);
    this.#wakeUp();
  }

  /** True when it is let in. */
  #activate(entry: QueuedPod, label: string): boolean {
    if (entry.state !== "backoff" && !this.#admits(entry)) {
      this.#wait(entry, "gated", label);
      return false;
    }
    entry.firstTried ??= this.#now;
    this.#enter(entry, "active", label);
    this.#active.add(this.#place(entry));
    this.#wakeUp();
    return true;
  }

  #wait(entry: QueuedPod, state: "unschedulable" | "gated", label: string): void {
    if (entry.state === state && this.#waiting.has(entry)) return;
    this.#enter(entry, state, label);
    this.#waiting.add(entry);
    if (state === "unschedulable") this.#waitUntil(entry, entry.timestamp + longestUnschedulable);
  }

  #enter(entry: QueuedPod, state: QueueState, label: string): void {
    entry.state = state;
    this.#waiting.delete(entry);
    this.#options.metrics.incomingPods.inc([state === "gated" ? "unschedulable" : state, label]);
  }

  /** The plugin that kept it out is asked first. */
  #admits(entry: QueuedPod): boolean {
    const plugins = this.#options.profiles.get(entry.pod.spec.schedulerName!)?.plugins.preEnqueue ?? [];
    const gated = plugins.find(({ name }) => name === entry.gate);
    for (const plugin of gated ? [gated, ...plugins] : plugins) {
      if (!keepsOut(plugin, entry.pod)) continue;
      if (!entry.rejectors.has(plugin.name)) this.#options.metrics.unschedulablePods.add(1, [plugin.name, entry.pod.spec.schedulerName!]);
      entry.gateBy(plugin.name);
      return false;
    }
    entry.gate = "";
    return true;
  }

  #place(entry: QueuedPod): Place {
    for (const heap of [this.#active, this.#early]) if (heap.size > 2 * this.#pods.size + 64) heap.retain((place) => this.#isCurrent(place));
    return { entry, pod: entry.pod, timestamp: entry.timestamp, until: entry.until, order: this.#order++ };
  }

  #isCurrent({ entry, timestamp, until }: Place): boolean {
    return this.#pods.get(entry.uid) === entry && entry.timestamp === timestamp && entry.until === until;
  }

  #next(heap: PriorityHeap<Place>, state: QueueState): QueuedPod | undefined {
    for (let place = heap.take(); place; place = heap.take()) if (place.entry.state === state && this.#isCurrent(place)) return place.entry;
    return undefined;
  }

  #wakeUp(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  #waitUntil(entry: QueuedPod, at: number): void {
    this.#times.add(entry.uid, at);
    this.#arm();
  }

  #arm(): void {
    const { clock } = this.#options;
    const at = this.#times.nextAt;
    if (this.#closed || at === undefined || (this.#timer && this.#timer.at <= at)) return;
    this.#timer?.cancel.abort();
    const timer = { at, cancel: new AbortController() };
    this.#timer = timer;
    clock.sleep(Math.max(0, at - clock.monotonic()), timer.cancel.signal).then(() => {
      this.#timer = undefined;
      this.#timePassed(clock.monotonic());
      this.#arm();
    }, () => {
      // An earlier time took its place, or the queue was closed.
    });
  }

  /** The heap may hold an earlier time than the one that counts now, or that of a pod that has left. */
  #timePassed(now: number): void {
    for (const uid of this.#times.due(now)) {
      const entry = this.#pods.get(uid);
      const at = entry?.state === "backoff" ? entry.until : entry?.state === "unschedulable" ? entry.timestamp + longestUnschedulable : undefined;
      if (!entry || at === undefined) continue;
      if (at > now) {
        this.#times.add(uid, at);
      } else if (entry.state === "backoff") {
        this.#activate(entry, "BackoffComplete");
      } else {
        entry.flushed = true;
        this.#requeue(entry, "backoff", "UnschedulableTimeout");
      }
    }
  }
}

/** Back-offs that end in the same second go by queueSort. */
const window = (until: number): number => Math.floor(until / 1000);

/** One that fails says nothing good of the pod. */
function keepsOut(plugin: AnyPlugin, pod: Frozen<Pod>): boolean {
  try {
    const status = plugin.preEnqueue!(pod);
    return status !== undefined && status.code !== "Success";
  } catch {
    return true;
  }
}
