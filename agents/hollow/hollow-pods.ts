import type { Clock } from "../../src/base/clock.ts";
import type { Logger } from "../../src/base/log.ts";
import { Workqueue } from "../../src/base/workqueue.ts";
import { keyOf, type Frozen } from "../../src/apimachinery/meta.ts";
import { isConflict, isNotFound } from "../../src/apimachinery/status.ts";
import { pods } from "../../src/apis/core/pod/pod.ts";
import type { ObjectReference, Pod as PodObject } from "../../src/apis/generated/core/v1.ts";
import type { Client } from "../../src/client/client.ts";
import type { EventRecorder } from "../../src/client/recorder.ts";
import { containerReference, podReference } from "../kubelet/pod/container-reference.ts";
import { isHostNetwork, isTerminal, type Container, type Pod } from "../kubelet/pod/pod.ts";
import { rejectedStatus } from "../kubelet/status/rejected-status.ts";
import { StatusManager } from "../kubelet/status/status-manager.ts";
import type { HollowNode } from "./hollow-node.ts";
import { HollowPod, type Moment } from "./hollow-pod.ts";
import type { ImageShelf } from "./images.ts";
import { sameWish } from "./same-wish.ts";

export interface HollowPodsOptions {
  client: Client;
  clock: Clock;
  log: Logger;
  recorder?: EventRecorder;
  images: ImageShelf;
  signal: AbortSignal;
  /** How long a pod takes from its binding to its first container, in milliseconds. */
  startDelay: number;
  /** How many pods are worked on at once. */
  workers: number;
  /** The node of that name, if it is one of ours. */
  node(name: string): HollowNode | undefined;
}

interface Entry {
  pod: Pod;
  node: HollowNode;
  /** Made when the node has taken the pod. */
  hollow?: HollowPod;
  /** When it came to the node, on the clock that never jumps. */
  since: number;
  ended: boolean;
}

/** The pods of all hollow nodes: a queue of those with something to do, and no more than an entry for each of those at rest. */
export class HollowPods {
  readonly #options: HollowPodsOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #uids = new Map<string, string>();
  readonly #queue: Workqueue;
  readonly #statuses: StatusManager;

  constructor(options: HollowPodsOptions) {
    const { client, clock, log, signal } = options;
    this.#options = options;
    this.#queue = new Workqueue({ clock, baseDelay: 200, maxDelay: 10_000 });
    this.#statuses = new StatusManager({ client, clock, log, signal });
  }

  /** Until the signal aborts; resolves when no pod is worked on. */
  async run(): Promise<void> {
    const { signal, workers } = this.#options;
    signal.addEventListener("abort", () => this.#queue.shutDown(), { once: true });
    if (signal.aborted) this.#queue.shutDown();
    await Promise.all(Array.from({ length: workers }, () => this.#work()));
  }

  /** The API has told of a pod with a node. */
  observed(old: Pod | undefined, current: Pod | undefined): void {
    if (old && old.metadata.uid !== current?.metadata.uid) this.#forget(old.metadata.uid!);
    if (!current) return;
    const uid = current.metadata.uid!, entry = this.#entries.get(uid);
    if (!entry) return this.#add(uid, current);
    const before = entry.pod;
    entry.pod = current;
    if (entry.node.stopped) return;
    this.#statuses.observed(current);
    if (!sameWish(before, current)) this.#queue.add(uid);
  }

  /** Those of this node go on where they were. */
  wake(node: HollowNode): void {
    for (const [uid, entry] of this.#entries) {
      if (entry.node !== node) continue;
      this.#statuses.observed(entry.pod);
      this.#queue.add(uid);
    }
  }

  /** The node is no more; what it had is not ended, but forgotten. */
  drop(node: HollowNode): void {
    for (const [uid, entry] of this.#entries) if (entry.node === node) this.#forget(uid);
  }

  /** Does something to a pod that runs, by `namespace/name`. Throws when there is none. */
  act(key: string, action: (pod: HollowPod) => void): void {
    const uid = this.#uids.get(key), hollow = uid && this.#entries.get(uid)?.hollow;
    if (!uid || !hollow) throw new Error(`no hollow node runs a pod ${key}`);
    action(hollow);
    this.#queue.add(uid);
  }

  #add(uid: string, pod: Pod): void {
    const node = this.#options.node(pod.spec.nodeName ?? "");
    if (!node) return;
    this.#entries.set(uid, { pod, node, since: this.#options.clock.monotonic(), ended: false });
    this.#uids.set(keyOf(pod), uid);
    this.#queue.add(uid);
  }

  #forget(uid: string): void {
    const entry = this.#entries.get(uid);
    if (!entry) return;
    this.#entries.delete(uid);
    if (this.#uids.get(keyOf(entry.pod)) === uid) this.#uids.delete(keyOf(entry.pod));
    this.#queue.forget(uid);
    this.#statuses.forget(uid);
    this.#leave(uid, entry.node);
  }

  #leave(uid: string, node: HollowNode): void {
    node.room.release(uid);
    node.addresses.release(uid);
  }

  async #work(): Promise<void> {
    for (let uid = await this.#queue.get(); uid !== undefined; uid = await this.#queue.get()) {
      const entry = this.#entries.get(uid);
      try {
        if (entry && !entry.node.stopped && !this.#options.signal.aborted) await this.#sync(uid, entry);
        this.#queue.forget(uid);
      } catch (error) {
        if (!this.#options.signal.aborted) this.#options.log.warn("Hollow pod not in sync, will try again", { pod: keyOf(entry!.pod), error });
        this.#queue.addRateLimited(uid);
      }
      this.#queue.done(uid);
    }
  }

  async #sync(uid: string, entry: Entry): Promise<void> {
    const { clock, startDelay } = this.#options;
    if (!entry.ended) {
      const at: Moment = { now: clock.now(), passed: clock.monotonic() };
      const delay = entry.since + startDelay - at.passed;
      if (!entry.hollow && delay > 0 && !entry.pod.metadata.deletionTimestamp && !wasStarted(entry.pod)) return this.#queue.addAfter(uid, delay);
      const hollow = entry.hollow ??= await this.#admit(uid, entry, at);
      if (this.#entries.get(uid) !== entry) return this.#leave(uid, entry.node);
      const { status, wakeAt, ended } = hollow?.look(entry.pod, this.#statuses.get(uid), at) ?? { ended: true };
      if (status) this.#statuses.set(entry.pod, status);
      if (wakeAt !== undefined) this.#queue.addAfter(uid, wakeAt - at.passed);
      if (!ended) return;
      entry.ended = true;
      this.#leave(uid, entry.node);
    }
    if (entry.pod.metadata.deletionTimestamp !== undefined) await this.#delete(uid, entry);
  }

  /** The pod has ended: when that has been told, the API may forget it. Finalizers are others' affair. */
  async #delete(uid: string, entry: Entry): Promise<void> {
    await this.#statuses.flushed(uid);
    if (this.#entries.get(uid) !== entry || entry.node.stopped) return;
    const { namespace, name, deletionGracePeriodSeconds } = entry.pod.metadata;
    if (deletionGracePeriodSeconds === 0) return;
    try {
      await this.#options.client.delete(pods, { namespace, name: name! }, { gracePeriodSeconds: 0, preconditions: { uid } });
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
  }

  async #admit(uid: string, entry: Entry, at: Moment): Promise<HollowPod | undefined> {
    const { pod, node } = entry;
    if (isTerminal(pod.status?.phase)) return this.#hollow(uid, entry, at);
    if (wasStarted(pod)) node.room.take(pod);
    else {
      const [refusal] = await node.room.admit(pod, node.source);
      if (refusal) {
        this.#warn(podReference(pod), refusal.reason, refusal.message);
        this.#statuses.set(pod, rejectedStatus(pod, refusal, at.now));
        return undefined;
      }
    }
    return this.#hollow(uid, entry, at);
  }

  #hollow(uid: string, { pod, node }: Entry, at: Moment): HollowPod {
    const known = pod.status?.podIP;
    if (known && !isHostNetwork(pod)) node.addresses.keep(uid, known);
    return new HollowPod(pod, {
      hostIps: [node.address], images: this.#options.images,
      address: () => node.addresses.take(uid, node.podRange),
      warn: (container: Container | undefined, reason, message) => this.#warn(container ? containerReference(pod, container) : podReference(pod), reason, message),
    }, at);
  }

  #warn(about: Frozen<ObjectReference>, reason: string, message: string): void {
    this.#options.recorder?.event(about, "Warning", reason, message);
  }
}

/** Whether a kubelet, this one or one before, has taken the pod. */
const wasStarted = ({ status }: Frozen<PodObject>): boolean => status?.startTime !== undefined;
