import { isConflict, isNotFound } from "../../../src/apimachinery/status.ts";
import { pods } from "../../../src/apis/core/pod/pod.ts";
import type { PodStatus } from "../../../src/apis/generated/core/v1.ts";
import { backoffDelay } from "../../../src/base/backoff.ts";
import { DriverMissing, TearDownFailed } from "../csi/csi-drivers.ts";
import { currentSandbox, latestContainer, readRuntimePod, type RuntimeContainer, type RuntimePod } from "../runtime/runtime-status.ts";
import type { Waiting } from "../status/container-status.ts";
import { podStatus } from "../status/pod-status.ts";
import { rejectedStatus } from "../status/rejected-status.ts";
import { terminationMessage } from "../status/termination-message.ts";
import { ActiveTime } from "./active-time.ts";
import { podReference } from "./container-reference.ts";
import type { PodContext } from "./context.ts";
import { endPod, removePod } from "./end.ts";
import { gracePeriodSeconds, isHostNetwork, isTerminal, type Pod } from "./pod.ts";
import { runPod } from "./run.ts";
import type { Verdict } from "./verdict.ts";

/** What a pod's hands-on parts (`run.ts`, `end.ts`) know and keep of it between steps. */
export interface PodState {
  /** The last failed start of each container. */
  waiting: Map<string, Waiting>;
  /** When something is to be tried again, or wears out; the earliest counts. Filled anew by each step. */
  wakeAt: number | undefined;
  /** The termination messages of ended containers, by id: files don't change any more. */
  messages: Map<string, string>;
  /** The last back-off told of by an Event, by container. */
  announced: Map<string, number>;
}

/** A runtime tells of an exit some milliseconds before its own status does; on a machine with more work than it can do, seconds. */
const exitSettleMs = 5;
const exitSettleTries = 12;

/** The longest wait between tries at a step that fails; where a CSI driver is to blame, as long as Kubernetes' own (k8s.io/kubernetes/pkg/util/goroutinemap/exponentialbackoff): one that comes wakes the pod. */
const mostWaitMs = 20_000;
const mostDriverWaitMs = 122_000;
const isOfDriver = (error: unknown): boolean => error instanceof DriverMissing || error instanceof TearDownFailed;

/**
 * The life of one pod on this node: one loop, one step at a time, woken by whatever concerns the pod.
 * First the node has to take it; running until it is to end; then ending; then ended, until the API has forgotten it and the node as well.
 */
export class PodWorker {
  readonly uid: string;
  readonly #context: PodContext;
  readonly #state: PodState = { waiting: new Map(), wakeAt: undefined, messages: new Map(), announced: new Map() };
  #pod: Pod;
  #removed = false;
  #verdict?: Verdict;
  readonly #active: ActiveTime;
  /** What the kubelet itself grants it to end. */
  #mostGraceSeconds = Infinity;
  /** What is told of the pod when the node has not taken it. */
  #rejected?: PodStatus;
  #leftRoom = false;
  #ended = false;
  readonly #end = Promise.withResolvers<void>();
  readonly #reclaimed = Promise.withResolvers<void>();
  /** Ends the current step when it has been overtaken: the pod is to go, or faster than before. */
  #interrupt = new AbortController();
  #wake?: () => void;
  #woken = false;
  readonly #exited = new Set<string>();
  /** The pod's addresses, as last seen. */
  #podIps: readonly string[] = [];
  #exitTries = 0;
  /** Ids of the pod's running sandboxes and containers, as last seen. */
  active: ReadonlySet<string> = new Set<string>();
  /** The pod as last seen. */
  runtime?: RuntimePod;

  constructor(context: PodContext, pod: Pod, private readonly onSeen: (uid: string, ids: readonly string[]) => void, removed = false) {
    this.#context = context;
    this.#active = new ActiveTime(context.clock);
    this.#pod = pod;
    this.#removed = removed;
    this.uid = pod.metadata.uid!;
  }

  /** As the API has it. */
  get pod(): Pod {
    return this.#pod;
  }

  /** Whether nobody wants it here any more. */
  get removed(): boolean {
    return this.#removed;
  }

  /** With the resources that the node has granted it. */
  get #granted(): Pod {
    return this.#context.resizer.granted(this.#pod);
  }

  /** The API has a newer version. */
  update(pod: Pod): void {
    const before = this.#pod;
    const hurried = pod.metadata.deletionTimestamp !== undefined && (this.#pod.metadata.deletionTimestamp === undefined || gracePeriodSeconds(pod) < gracePeriodSeconds(this.#pod));
    this.#pod = pod;
    this.#context.statuses.observed(pod);
    this.#context.resizer.observe(pod);
    if (sameWish(before, pod)) return;
    if (!this.#removed && !this.#ended) this.#context.references.register(pod);
    if (hurried && !this.#ended) this.#restart();
    this.wake();
  }

  /** The API has it no more: end it at once if that has not happened, then forget it. */
  remove(last?: Pod): void {
    if (last) this.#pod = last;
    this.#removed = true;
    this.#context.admission.release(this.uid);
    if (!this.#ended) this.#restart();
    this.wake();
  }

  /** Ends it for this reason, unless it is ending for another, within so many seconds if they are fewer than its own; resolves when nothing of it runs. */
  evict(verdict: Verdict, graceSeconds?: number): Promise<void> {
    this.#verdict ??= verdict;
    this.#mostGraceSeconds = Math.min(this.#mostGraceSeconds, graceSeconds ?? Infinity);
    if (!this.#ended) this.#restart();
    this.wake();
    return this.#end.promise;
  }

  /** Resolves when what it took of the node is free again, its volumes too. */
  get reclaimed(): Promise<void> {
    return this.#reclaimed.promise;
  }

  exited(id: string): void {
    this.#exited.add(id);
    this.#exitTries = 0;
    this.wake();
  }

  wake(): void {
    this.#woken = true;
    this.#wake?.();
  }

  /** Resolves when nothing of the pod is left, or `signal` aborts (then the pod runs on, to be adopted later). */
  async run(signal: AbortSignal): Promise<void> {
    if (!this.#removed) {
      this.#context.references.register(this.#pod);
      this.#context.resizer.observe(this.#pod);
    }
    for (let failures = 0; !signal.aborted; ) {
      this.#woken = false;
      this.#state.wakeAt = undefined;
      const step = AbortSignal.any([signal, this.#interrupt.signal]), wallClock = this.#wallClock();
      try {
        if (await this.#step(step)) return;
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        // A step that was overtaken is followed by another, whoever has heard the call for it.
        if (step.aborted) this.#woken = true;
        else {
          const { log, clock } = this.#context;
          log.warn("Pod not in sync, will try again", { pod: `${this.#pod.metadata.namespace}/${this.#pod.metadata.name}`, error });
          this.#state.wakeAt = clock.now() + backoffDelay(failures++, { base: 500, max: isOfDriver(error) ? mostDriverWaitMs : mostWaitMs, jitter: 0.1 });
        }
      }
      // A clock that was set back since is behind: the time to wake at was meant for the clock as it was.
      const set = this.#wallClock() - wallClock;
      await this.#sleep(signal, set < -1000 ? set : 0);
    }
  }

  /** One step; true when the pod is gone for good. */
  async #step(signal: AbortSignal): Promise<boolean> {
    if (this.#ended && !this.#removed && this.#pod.metadata.deletionTimestamp === undefined) return false;
    if (!this.#goes()) await this.#admit(signal);
    const runtime = await this.#read();
    this.#verdict ??= this.#overdue();
    if (!this.#goes() && !this.#rejected && !this.#verdict) {
      const last = await runPod(this.#context, this.#granted, runtime, this.#state, { signal, read: () => this.#read(), publish: (seen) => this.#publish(seen, false) });
      // All containers have done what they had to: the rest of the pod goes.
      if (!isTerminal(this.#publish(last, false).phase)) {
        this.#verdict ??= this.#overdue();
        return this.#verdict !== undefined && this.#step(signal);
      }
    }
    const last = await this.#read();
    const graceSeconds = Math.min(this.#mostGraceSeconds, gracePeriodSeconds(this.#pod, last.containers[0]?.podGracePeriodSeconds));
    const dead = await this.#tellMeanwhile(last, endPod(this.#context, this.#pod, last, { graceSeconds, signal, read: () => this.#read() }));
    this.#stopped();
    if (!this.#removed) await this.#finish(dead);
    this.#ended = true;
    if (!this.#removed) return false;
    await removePod(this.#context, this.#pod, await this.#read());
    this.#reclaimed.resolve();
    return true;
  }

  /** While the pod ends, which may take its time, the API is told when its readiness changes, or one of its containers has ended. */
  async #tellMeanwhile<T>(first: RuntimePod, ending: Promise<T>): Promise<T> {
    if (!this.#removed && !this.#rejected) this.#publish(first, false, true);
    let over = false;
    const end = ending.finally(() => (over = true)).then(() => undefined, () => undefined);
    while (!this.#removed && !this.#rejected) {
      if (!this.#woken) await Promise.race([end, new Promise<void>((resolve) => (this.#wake = resolve))]);
      this.#wake = undefined;
      // Whatever woke it then is for the next step.
      if (over) break;
      this.#woken = false;
      // What can't be read now will be read at the end.
      const runtime = await this.#read().catch(() => undefined);
      // Once all have ended, the end itself is told in a moment.
      if (!over && runtime?.containers.some(({ state }) => state === "running")) this.#publish(runtime, false, true);
    }
    return ending;
  }

  /** Whatever the node thinks of it. */
  #goes(): boolean {
    return this.#removed || this.#pod.metadata.deletionTimestamp !== undefined || isTerminal(this.#pod.status?.phase);
  }

  async #admit(signal: AbortSignal): Promise<void> {
    if (this.#rejected || this.#leftRoom) return;
    const rejection = await this.#context.admission.admit(this.#pod, signal);
    if (rejection) this.#rejected = rejectedStatus(this.#pod, rejection, this.#context.clock.now());
  }

  /** Nothing of the pod runs any more. The next pod may come as soon as anybody hears of that, so its room is free before. */
  #stopped(): void {
    this.#leftRoom = true;
    this.#context.admission.release(this.uid);
    this.#end.resolve();
  }

  /** The pod has ended: say so, and when it is being deleted let the API forget it. */
  async #finish(dead: RuntimePod): Promise<void> {
    const { statuses, volumes, cgroups, client, probes, references } = this.#context;
    this.#publish(dead, true);
    probes.forget(this.uid);
    // Not to wait for the API: a node short of memory or disk needs what the pod had, also while no server is in reach.
    await volumes.tearDown(this.uid);
    cgroups.remove(this.uid);
    references.unregister(this.uid);
    this.#reclaimed.resolve();
    await statuses.flushed(this.uid);
    const { deletionTimestamp, namespace, name } = this.#pod.metadata;
    if (deletionTimestamp === undefined) return;
    try {
      await client.delete(pods, { namespace, name: name! }, { gracePeriodSeconds: 0, preconditions: { uid: this.uid } });
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
  }

  async #read(): Promise<RuntimePod> {
    const runtime = await readRuntimePod(this.#context.runtime, this.uid);
    this.onSeen(this.uid, [...runtime.sandboxes, ...runtime.containers].map(({ id }) => id));
    this.runtime = runtime;
    const ips = currentSandbox(runtime)?.ips ?? [];
    if (ips.length > 0) this.#podIps = ips;
    this.active = new Set([...runtime.sandboxes.filter(({ ready }) => ready), ...runtime.containers.filter(({ state }) => state === "running")].map(({ id }) => id));
    const late = [...this.#exited].some((id) => this.active.has(id));
    if (!late) this.#exited.clear();
    else if (this.#exitTries++ < exitSettleTries) this.#wakeBy(this.#context.clock.now() + exitSettleMs * 2 ** this.#exitTries);
    else this.#exited.clear();
    return runtime;
  }

  #publish(runtime: RuntimePod, finished: boolean, ending = false): PodStatus {
    const { probes, statuses, clock, nodeIps } = this.#context;
    if (this.#rejected) {
      statuses.set(this.#pod, this.#rejected);
      return this.#rejected;
    }
    const podIp = isHostNetwork(this.#pod) ? nodeIps()[0] : currentSandbox(runtime)?.ips[0];
    if (!finished) probes.sync(this.#pod, runtime, podIp ?? "", ending);
    this.#adoptVerdicts(runtime);
    const { resizer } = this.#context;
    if (finished) resizer.ended(this.uid);
    else if (!ending) resizer.settle(this.#granted, runtime);
    const status = podStatus(this.#granted, runtime, {
      now: clock.now(), hostIps: nodeIps(), podIps: this.#podIps, finished, verdict: this.#verdict, told: statuses.get(this.uid),
      waiting: (name) => (ending ? undefined : this.#state.waiting.get(name)),
      started: (container, id) => probes.started(container, id),
      ready: (container, id) => !finished && probes.ready(container, id),
      terminationMessage: (container) => this.#message(container),
      devices: (name) => this.#context.devices.statusOf(this.uid, name),
      resize: { conditions: resizer.conditions(this.uid), actuated: resizer.actuated(this.#granted, runtime) },
    });
    // A pod shows that it has ended only when all of it has: sidecars may still be ending.
    if (!this.#removed && (finished || !isTerminal(status.phase))) statuses.set(this.#pod, status);
    return status;
  }

  /** What the API says of a container that was running before this process began stays true until a probe says otherwise. */
  #adoptVerdicts(runtime: RuntimePod): void {
    for (const status of [...(this.#pod.status?.containerStatuses ?? []), ...(this.#pod.status?.initContainerStatuses ?? [])]) {
      const current = latestContainer(runtime, status.name);
      if (current && status.containerID === `containerd://${current.id}`) this.#context.probes.assume(current.id, { ready: status.ready, started: status.started ?? false });
    }
  }

  #message(container: RuntimeContainer): string {
    const known = this.#state.messages.get(container.id);
    if (known !== undefined) return known;
    const message = terminationMessage(container);
    this.#state.messages.set(container.id, message);
    return message;
  }

  #overdue(): Verdict | undefined {
    if (this.#rejected) return undefined;
    const { activeDeadlineSeconds } = this.#pod.spec;
    const startTime = this.#context.statuses.get(this.uid)?.startTime ?? this.#pod.status?.startTime;
    if (activeDeadlineSeconds === undefined || !startTime) return undefined;
    const left = activeDeadlineSeconds * 1000 - this.#active.of(this.#pod, startTime);
    if (left > 0) {
      this.#wakeBy(this.#context.clock.now() + left);
      return undefined;
    }
    const message = "Pod was active on the node longer than the specified deadline";
    this.#context.recorder.event(podReference(this.#pod), "Normal", "DeadlineExceeded", message);
    return { reason: "DeadlineExceeded", message };
  }

  #restart(): void {
    this.#interrupt.abort(new Error("overtaken by a newer state of the pod"));
    this.#interrupt = new AbortController();
  }

  /** How the clock is set, apart from the time that passes. */
  #wallClock(): number {
    const { clock } = this.#context;
    return clock.now() - clock.monotonic();
  }

  #wakeBy(at: number): void {
    this.#state.wakeAt = Math.min(this.#state.wakeAt ?? Infinity, at);
  }

  /** Until woken, or `wakeAt`; without either for as long as it takes, and then without a timer. */
  async #sleep(signal: AbortSignal, setBack: number): Promise<void> {
    if (this.#woken || signal.aborted) return;
    const waking = new AbortController();
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve;
      signal.addEventListener("abort", () => resolve(), { once: true, signal: waking.signal });
    });
    const { clock } = this.#context;
    const timer = this.#state.wakeAt === undefined ? [] : [clock.sleep(Math.max(0, this.#state.wakeAt + setBack - clock.now()), waking.signal).catch(() => {})];
    await Promise.race([woken, ...timer]);
    waking.abort();
    this.#wake = undefined;
  }
}

/** Whether nothing but what the kubelet itself reports has changed. */
function sameWish(before: Pod, after: Pod): boolean {
  const { labels, annotations, deletionTimestamp, deletionGracePeriodSeconds } = before.metadata;
  const now = after.metadata;
  const gates = (pod: Pod): unknown => pod.spec.readinessGates?.map(({ conditionType }) => pod.status?.conditions?.find(({ type }) => type === conditionType)?.status);
  return deletionTimestamp === now.deletionTimestamp && deletionGracePeriodSeconds === now.deletionGracePeriodSeconds
    && isTerminal(before.status?.phase) === isTerminal(after.status?.phase)
    && Bun.deepEquals([labels, annotations, before.spec, gates(before)], [now.labels, now.annotations, after.spec, gates(after)]);
}
