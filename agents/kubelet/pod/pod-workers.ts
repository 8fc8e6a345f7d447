import type { Informer } from "../../../src/client/informer.ts";
import type { Pod as PodObject } from "../../../src/apis/generated/core/v1.ts";
import { backoffDelay } from "../../../src/base/backoff.ts";
import type { RuntimeEvent } from "../../cri/cri.ts";
import { DriverMissing } from "../csi/csi-drivers.ts";
import { listRuntimePods, type RuntimeContainer, type RuntimePodList } from "../runtime/runtime-status.ts";
import { fullName, isMirrorPod, isStaticPod } from "../static-pods/static-pod.ts";
import type { StaticPodSource } from "../static-pods/source.ts";
import type { PodContext } from "./context.ts";
import { isTerminal, type Pod } from "./pod.ts";
import { PodWorker } from "./pod-worker.ts";

/** How often the runtime's own list is compared with what events told; first soon after subscribing, for what happened meanwhile. */
const relistMs = 60_000;
const firstRelistMs = 1000;
/** Other users of the runtime have exits too, that concern nobody here: only the newest are kept. */
const maxEarlyExits = 256;

export interface PodWorkersOptions {
  statics?: StaticPodSource | undefined;
  /** What else must be known before the API's pods are judged. */
  ready?(signal: AbortSignal): Promise<unknown>;
}

/** One worker per pod of this node: those the API binds to it, and those the runtime still has though the API has forgotten them. */
export class PodWorkers {
  readonly #context: PodContext;
  readonly #pods: Informer<PodObject>;
  readonly #workers = new Map<string, PodWorker>();
  readonly #running = new Set<Promise<void>>();
  /** Uids by the ids of sandboxes and containers. */
  readonly #uids = new Map<string, string>();
  /** Exits told of before any worker had seen the container: one that ends at once overtakes the look at it, whose status may lag behind. */
  readonly #early = new Set<string>();
  /** Static pods whose name another pod still has: they begin when that has ended. */
  readonly #queued = new Map<string, Pod>();
  readonly #options: PodWorkersOptions;
  readonly #statics: StaticPodSource | undefined;
  #apiSynced = false;
  #allWoken = Promise.withResolvers<void>();
  #signal?: AbortSignal;

  constructor(context: PodContext, pods: Informer<PodObject>, options: PodWorkersOptions = {}) {
    this.#context = context;
    this.#pods = pods;
    this.#options = options;
    this.#statics = options.statics;
  }

  get(uid: string): PodWorker | undefined {
    return this.#workers.get(uid);
  }

  pods(): readonly Pod[] {
    return [...this.#workers.values()].map(({ pod }) => pod);
  }

  find(namespace: string, name: string): PodWorker | undefined {
    return [...this.#workers.values()].find(({ pod }) => pod.metadata.namespace === namespace && pod.metadata.name === name);
  }

  /** As last seen. */
  runningContainers(): RuntimeContainer[] {
    return [...this.#workers.values()].flatMap(({ runtime }) => (runtime?.containers ?? []).filter(({ state }) => state === "running"));
  }

  wake(uid: string): void {
    this.#workers.get(uid)?.wake();
  }

  wakeAll(): void {
    this.#allWoken.resolve();
    this.#allWoken = Promise.withResolvers();
    for (const worker of this.#workers.values()) worker.wake();
  }

  /** Follows the API and the runtime until `signal` aborts; pods run on then. Resolves when all workers have let go. */
  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    const stop: (() => void)[] = [];
    try {
      const known = await this.#firstList(signal);
      await Promise.all([
        this.#statics?.follow(() => this.#readStatics(known), signal),
        this.#followApi(signal).then((unsubscribe) => stop.push(unsubscribe)),
        this.#follow(signal),
      ]);
    } finally {
      for (const each of stop) each();
      await Promise.allSettled(this.#running);
    }
  }

  /** What was the API's before is looked at once the API's pods are known, be it from memory. */
  async #followApi(signal: AbortSignal): Promise<() => void> {
    await Promise.all([this.#pods.synced(signal), this.#options.ready?.(signal)]);
    this.#apiSynced = true;
    const known = await this.#firstList(signal);
    this.#cleanUp(known);
    this.#takeUp(known);
    const unsubscribe = this.#pods.onChange((old, current) => this.#onChange(old, current));
    this.#weigh();
    const mirroring = this.#statics?.mirrors.run(signal);
    if (mirroring) this.#running.add(mirroring);
    return unsubscribe;
  }

  /** The static pods as the node's files have them now: others end, new ones begin when their predecessors have ended. */
  #readStatics(known: RuntimePodList): void {
    const wanted = this.#statics!.read();
    const uids = new Set(wanted.map(({ metadata: { uid } }) => uid));
    for (const worker of this.#workers.values()) if (isStaticPod(worker.pod) && !uids.has(worker.uid)) worker.remove();
    this.#queued.clear();
    for (const pod of wanted) {
      const worker = this.#workers.get(pod.metadata.uid!);
      if (worker && !worker.removed) worker.update(pod);
      else if (worker ?? this.find(pod.metadata.namespace!, pod.metadata.name!)) this.#queued.set(fullName(pod), pod);
      else this.#startStatic(pod, known);
    }
    if (this.#apiSynced) this.#weigh();
  }

  #startStatic(pod: Pod, known?: RuntimePodList): void {
    const { admission, resizer } = this.#context;
    const found = known?.get(pod.metadata.uid!);
    if (found) {
      resizer.adopt(pod, found.resources);
      admission.remember(resizer.granted(pod));
    }
    this.#statics!.mirrors.add(pod);
    this.#start(new PodWorker(this.#context, pod, this.#onSeen));
  }

  /** What was here before stays; what came meanwhile is judged in the order it was made. */
  #takeUp(known: RuntimePodList): void {
    const all = this.#pods.lister.list();
    for (const mirror of all.filter(isMirrorPod)) this.#statics?.mirrors.observe(mirror);
    const list = all.filter((pod) => !isMirrorPod(pod)).toSorted((a, b) => Date.parse(a.metadata.creationTimestamp!) - Date.parse(b.metadata.creationTimestamp!));
    const { admission, resizer } = this.#context;
    for (const pod of list) {
      const found = known.get(pod.metadata.uid!);
      if (isTerminal(pod.status?.phase) || !(pod.status?.startTime || found)) continue;
      resizer.adopt(pod, found?.resources ?? new Map());
      admission.remember(resizer.granted(pod));
    }
    resizer.retry();
    for (const pod of list) this.#start(new PodWorker(this.#context, pod, this.#onSeen));
  }

  #onChange(old: Pod | undefined, current: Pod | undefined): void {
    if (isMirrorPod((current ?? old)!)) {
      if (old && old.metadata.uid !== current?.metadata.uid) this.#statics?.mirrors.gone(old);
      if (current) this.#statics?.mirrors.observe(current);
      return;
    }
    if (old && old.metadata.uid !== current?.metadata.uid) this.#workers.get(old.metadata.uid!)?.remove(old);
    if (!current) {
      this.#weigh();
      return;
    }
    const worker = this.#workers.get(current.metadata.uid!);
    if (worker) worker.update(current);
    else {
      this.#start(new PodWorker(this.#context, current, this.#onSeen));
      this.#weigh();
    }
  }

  readonly #onSeen = (uid: string, ids: readonly string[]): void => {
    for (const id of ids) {
      this.#uids.set(id, uid);
      if (this.#early.delete(id)) this.#workers.get(uid)?.exited(id);
    }
  };

  #start(worker: PodWorker): void {
    this.#workers.set(worker.uid, worker);
    const running = worker.run(this.#signal!).catch((error: unknown) => this.#context.log.error("Pod worker failed", { uid: worker.uid, error })).finally(() => {
      this.#workers.delete(worker.uid);
      this.#running.delete(running);
      if (this.#statics && isStaticPod(worker.pod) && !this.#signal!.aborted) this.#staticEnded(this.#statics, worker.pod);
      for (const [id, uid] of this.#uids) if (uid === worker.uid) this.#uids.delete(id);
    });
    this.#running.add(running);
  }

  /** Its place is free for the next of that name. */
  #staticEnded(statics: StaticPodSource, pod: Pod): void {
    const next = this.#queued.get(fullName(pod));
    this.#queued.delete(fullName(pod));
    if (next) this.#startStatic(next);
    else statics.mirrors.remove(pod);
  }

  /** The runtime's events, subscribed anew after each break, with a look at everything in between. */
  async #follow(signal: AbortSignal): Promise<void> {
    const { runtime, clock, log } = this.#context;
    while (!signal.aborted) {
      const pause = new AbortController();
      const relisting = this.#relistSlowly(AbortSignal.any([signal, pause.signal]));
      await runtime.events((event) => this.#onEvent(event), signal).catch((error: unknown) => {
        if (!signal.aborted) log.warn("Runtime events broke off, subscribing again", { error });
      });
      pause.abort();
      await relisting;
      if (signal.aborted) return;
      await clock.sleep(1000, signal).catch(() => {});
      this.wakeAll();
    }
  }

  #onEvent({ id, type }: RuntimeEvent): void {
    if (type === "created" || type === "started") return;
    const uid = this.#uids.get(id);
    if (uid) {
      this.#workers.get(uid)?.exited(id);
      return;
    }
    this.#early.add(id);
    if (this.#early.size > maxEarlyExits) this.#early.delete(this.#early.values().next().value!);
  }

  async #relistSlowly(signal: AbortSignal): Promise<void> {
    for (let wait = firstRelistMs; ; wait = relistMs) {
      try {
        await this.#context.clock.sleep(wait, signal);
        await this.#relist();
      } catch (error) {
        if (signal.aborted) return;
        this.#context.log.warn("Runtime not listed", { error });
      }
    }
  }

  async #relist(): Promise<void> {
    for (const [uid, { active }] of await this.#listOrphans()) {
      const worker = this.#workers.get(uid);
      if (worker && (active.length !== worker.active.size || active.some((id) => !worker.active.has(id)))) worker.wake();
    }
  }

  /** The runtime may still be starting, or be down: waits for it. */
  async #firstList(signal: AbortSignal): Promise<RuntimePodList> {
    for (;;) {
      try {
        return await this.#listOrphans();
      } catch (error) {
        signal.throwIfAborted();
        this.#context.log.warn("Runtime not listed, will try again", { error });
        await this.#context.clock.sleep(firstRelistMs, signal);
      }
    }
  }

  /** Ends what the runtime has and the API doesn't. Returns all that the runtime has. */
  async #listOrphans(): Promise<RuntimePodList> {
    const found = await listRuntimePods(this.#context.runtime);
    if (!this.#apiSynced) return found;
    const desired = new Set(this.#pods.lister.list().map(({ metadata }) => metadata.uid));
    for (const [uid, { name, namespace }] of found) {
      if (desired.has(uid) || this.#workers.has(uid)) continue;
      this.#context.log.info("Ending a pod that the API does not know", { pod: `${namespace}/${name}`, uid });
      this.#start(new PodWorker(this.#context, { metadata: { uid, name, namespace }, spec: { containers: [] } }, this.#onSeen, true));
    }
    return found;
  }

  /** Directories and cgroups of pods that nobody knows any more: left by a power cut. */
  #cleanUp(known: RuntimePodList): void {
    const { volumes, cgroups, resizer } = this.#context;
    const desired = new Set([...this.#pods.lister.list(), ...this.pods()].filter(({ status }) => !isTerminal(status?.phase)).map(({ metadata }) => metadata.uid));
    resizer.retain(new Set([...desired, ...known.keys()] as string[]));
    for (const [uids, remove] of [[volumes.leftovers(), (uid: string) => volumes.tearDown(uid)], [cgroups.uids(), (uid: string) => cgroups.remove(uid)]] as const) {
      for (const uid of uids) {
        if (desired.has(uid) || known.has(uid)) continue;
        void this.#removeLeftover(uid, remove);
      }
    }
  }

  /** Until it has gone: a driver that has to take its volume back may not be there yet. */
  async #removeLeftover(uid: string, remove: (uid: string) => Promise<void> | void): Promise<void> {
    const { clock, log } = this.#context, signal = this.#signal!;
    for (let failures = 0; !signal.aborted; failures++) {
      const woken = this.#allWoken.promise;
      try {
        await remove(uid);
        return;
      } catch (error) {
        log.warn("Left over from a pod, cannot be removed yet", { uid, error });
        if (error instanceof DriverMissing) await woken;
        else await clock.sleep(backoffDelay(failures, { base: 1000, max: 120_000, jitter: 0.1 }), signal).catch(() => {});
      }
    }
  }

  #weigh(): void {
    try {
      const { cgroups, resizer } = this.#context;
      cgroups.weighBurstable(this.pods().filter(({ status }) => !isTerminal(status?.phase)).map((pod) => resizer.granted(pod)));
    } catch (error) {
      this.#context.log.warn("CPU weight of burstable pods not set", { error });
    }
  }
}
