import { backoffDelay } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { DelayHeap } from "../base/delay-heap.ts";
import type { Frozen } from "../apimachinery/meta.ts";
import type { Pod } from "../apis/generated/core/v1.ts";
import type { ClusterEvent } from "./cluster-events.ts";
import { PriorityHeap } from "./priority-heap.ts";

/** Source: kube-scheduler's podInitialBackoffSeconds, podMaxBackoffSeconds and podMaxInUnschedulablePodsDuration. */
const backoff = { base: 1000, max: 10_000 };
const longestUnschedulable = 5 * 60_000;

export interface QueuedPod {
  readonly uid: string;
  pod: Frozen<Pod>;
  /** active: to be tried next · taken: being tried or bound · backoff: to be tried at `until` · unschedulable: until something changes · gated: until the pod changes. */
  state: "active" | "taken" | "backoff" | "unschedulable" | "gated";
  /** When it was made active last; the place in the line among equals. */
  since: number;
  /** Decisions against it so far. */
  failures: number;
  /** When the back-off after the last failure ends. */
  until: number;
  /** When a slow second look is due. */
  flushAt: number;
  rejectors: ReadonlySet<string>;
  /** Resolves when what is being written of its last failure has been. */
  told?: Promise<void>;
}

export interface QueueOptions {
  clock: Clock;
  /** Whether plugins let the pod in at all. */
  admits(pod: Frozen<Pod>): boolean;
  /** Whether a change may end the rejection by a plugin of this name. */
  mayHelp(event: ClusterEvent, rejector: string): boolean;
}

/**
 * Pods waiting for a node: those to be tried, by priority and then age; those in back-off; those that wait for the cluster to change.
 * One timer, and only while pods wait for a time. Source: kubernetes pkg/scheduler/backend/queue.
 */
export class SchedulingQueue {
  readonly #options: QueueOptions;
  readonly #pods = new Map<string, QueuedPod>();
  readonly #active = new PriorityHeap<{ entry: QueuedPod; priority: number; since: number; order: number }>(
    (a, b) => b.priority - a.priority || a.since - b.since || a.order - b.order);
  readonly #times = new DelayHeap<string>();
  #order = 0;
  #wake: (() => void) | undefined;
  #timer: { at: number; cancel: AbortController } | undefined;
  #closed = false;

  constructor(options: QueueOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#pods.size;
  }

  /** A pod that wants a node. */
  add(pod: Frozen<Pod>): void {
    const entry: QueuedPod = { uid: pod.metadata.uid!, pod, state: "gated", since: 0, failures: 0, until: 0, flushAt: 0, rejectors: new Set() };
    this.#pods.set(entry.uid, entry);
    if (this.#options.admits(pod)) this.#activate(entry);
  }

  /** The pod has changed. `relevant`: in a way that may let it fit. */
  update(pod: Frozen<Pod>, relevant: boolean): void {
    const entry = this.#pods.get(pod.metadata.uid!);
    if (!entry) return this.add(pod);
    entry.pod = pod;
    if (entry.state === "gated" && this.#options.admits(pod)) this.#activate(entry);
    else if (relevant && entry.state === "unschedulable") this.#retry(entry);
  }

  /** The pod is gone, has a node, or isn't ours any more. */
  remove(uid: string): void {
    this.#pods.delete(uid);
  }

  /** Moves on the pods that wait for such a change. */
  moveOn(event: ClusterEvent): void {
    for (const entry of this.#pods.values()) {
      if (entry.state !== "unschedulable") continue;
      for (const rejector of entry.rejectors) {
        if (!this.#options.mayHelp(event, rejector)) continue;
        this.#retry(entry);
        break;
      }
    }
  }

  /** The next pod to try, when there is one; undefined after `close`. */
  async take(): Promise<QueuedPod | undefined> {
    while (!this.#closed) {
      const entry = this.#next();
      if (entry) {
        entry.state = "taken";
        return entry;
      }
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return undefined;
  }

  /** No node will do: the pod waits for a change that concerns one of `rejectors`. */
  reject(entry: QueuedPod, rejectors: ReadonlySet<string>): void {
    if (!this.#failed(entry)) return;
    entry.state = "unschedulable";
    entry.rejectors = rejectors;
    entry.flushAt = this.#options.clock.monotonic() + longestUnschedulable;
    this.#waitUntil(entry, entry.flushAt);
  }

  /** Something went wrong that has nothing to do with the pod: tried again after its back-off. False when the pod has left the queue meanwhile. */
  retryLater(entry: QueuedPod): boolean {
    const waits = this.#failed(entry);
    if (waits) this.#retry(entry);
    return waits;
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel.abort();
    this.#wake?.();
  }

  #failed(entry: QueuedPod): boolean {
    if (this.#pods.get(entry.uid) !== entry) return false;
    entry.until = this.#options.clock.monotonic() + backoffDelay(entry.failures++, backoff);
    return true;
  }

  #next(): QueuedPod | undefined {
    for (let item = this.#active.take(); item; item = this.#active.take()) {
      // Items of pods that have left, or left and come back, are passed over here.
      const { entry } = item;
      if (entry.state === "active" && entry.since === item.since && this.#pods.get(entry.uid) === entry) return entry;
    }
    return undefined;
  }

  #retry(entry: QueuedPod): void {
    if (entry.until <= this.#options.clock.monotonic()) return this.#activate(entry);
    entry.state = "backoff";
    this.#waitUntil(entry, entry.until);
  }

  #activate(entry: QueuedPod): void {
    entry.state = "active";
    entry.since = this.#options.clock.monotonic();
    this.#active.add({ entry, priority: entry.pod.spec.priority ?? 0, since: entry.since, order: this.#order++ });
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
      const at = entry?.state === "backoff" ? entry.until : entry?.state === "unschedulable" ? entry.flushAt : undefined;
      if (!entry || at === undefined) continue;
      if (at <= now) this.#activate(entry);
      else this.#times.add(uid, at);
    }
  }
}
