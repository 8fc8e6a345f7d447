import type { Clock } from "../../../src/base/clock.ts";
import { semanticEqual } from "../../../src/apimachinery/equality.ts";
import type { PodCondition } from "../../../src/apis/generated/core/v1.ts";
import type { EventRecorder } from "../../../src/client/recorder.ts";
import { podReference } from "../pod/container-reference.ts";
import { isTerminal, type Pod } from "../pod/pod.ts";
import type { ContainerFacts } from "../runtime/labels.ts";
import { containerAmounts, type Amounts } from "../runtime/resources.ts";
import { latestContainer, type RuntimeContainer, type RuntimePod } from "../runtime/runtime-status.ts";
import { time } from "../status/container-status.ts";
import type { ActuatedContainer, ResizeCheckpoints } from "./checkpoints.ts";
import { byUrgency } from "./order.ts";
import { planResize, resizableContainers, resizeRestarts, type ResizePlan } from "./plan.ts";
import { asksMore, resizeSummary, resourcesOf, withResources, type PodResources } from "./pod-resources.ts";

export interface ResizerOptions {
  checkpoints: ResizeCheckpoints;
  recorder: EventRecorder;
  clock: Clock;
  /** Gives the pod, as it wants to be, room instead of what it had; else says why it can't be. */
  regrant(pod: Pod): string | undefined;
  /** The pod's worker has something to do. */
  wake(uid: string): void;
}

/** What the conditions PodResizePending and PodResizeInProgress say; absent means False. */
interface Condition {
  reason?: string;
  message?: string;
  generation: number;
  since: number;
}

interface Entry {
  /** As the API has it. */
  pod: Pod;
  allocated: PodResources;
  pending?: Condition | undefined;
  inProgress?: Condition | undefined;
}

/**
 * Grants pods the resources their specs ask for while they run: at once where there is room, later where there is none now.
 * Everything else of the kubelet sees pods as they were granted. Source: k8s.io/kubernetes/pkg/kubelet/allocation.
 */
export class Resizer {
  readonly #entries = new Map<string, Entry>();
  constructor(private readonly options: ResizerOptions) {}

  /** The node has the pod from before: what it was granted is known from its checkpoint, or else from its containers. */
  adopt(pod: Pod, made: ReadonlyMap<string, NonNullable<ContainerFacts["resources"]>>): void {
    const uid = pod.metadata.uid!;
    const allocated = this.options.checkpoints.get(uid)?.allocated ?? fromContainers(pod, made);
    this.#entries.set(uid, { pod, allocated, ...backfilled(pod) });
  }

  /** The API has this version; the first one counts as granted. */
  observe(pod: Pod): void {
    const uid = pod.metadata.uid!;
    const entry = this.#entries.get(uid);
    if (!entry) {
      this.#entries.set(uid, { pod, allocated: resourcesOf(pod) });
      return;
    }
    const before = entry.pod;
    entry.pod = pod;
    if (isTerminal(pod.status?.phase) || semanticEqual(resourcesOf(before), resourcesOf(pod))) return;
    this.retry();
  }

  /** The pod with what it was granted: the same object where that is what it asks for. */
  granted(pod: Pod): Pod {
    const entry = this.#entries.get(pod.metadata.uid!);
    return entry ? withResources(pod, entry.allocated) : pod;
  }

  /** There may be room for those that wait. */
  retry(): void {
    const waiting = [...this.#entries.values()].flatMap((entry) => {
      const granted = withResources(entry.pod, entry.allocated);
      if (granted === entry.pod || isTerminal(entry.pod.status?.phase)) {
        this.#clearPending(entry);
        return [];
      }
      return [{ entry, pod: entry.pod, asksMore: asksMore(granted, entry.pod), ...(entry.pending ? { since: entry.pending.since } : {}) }];
    });
    for (const { entry } of waiting.sort(byUrgency)) this.#decide(entry);
  }

  /** The pod has ended: nothing of it waits for anything. */
  ended(uid: string): void {
    const entry = this.#entries.get(uid);
    if (entry) entry.pending = entry.inProgress = undefined;
  }

  forget(uid: string): void {
    this.#entries.delete(uid);
    this.options.checkpoints.forget(uid);
  }

  /** Nothing is kept of any pod but these. */
  retain(uids: ReadonlySet<string>): void {
    this.options.checkpoints.retain(uids);
  }

  conditions(uid: string): PodCondition[] {
    const { pending, inProgress } = this.#entries.get(uid) ?? {};
    return [...(pending ? [conditionOf("PodResizePending", pending)] : []), ...(inProgress ? [conditionOf("PodResizeInProgress", inProgress)] : [])];
  }

  /** What is to be set of a granted pod that runs. */
  plan(granted: Pod, runtime: RuntimePod): ResizePlan | undefined {
    return planResize(granted, runtime, { amounts: (container) => this.#amounts(granted, container), pod: this.actuated(granted, runtime) });
  }

  /** Whether a running container has to be started anew to have what it was granted. */
  restarts(granted: Pod, running: RuntimeContainer): boolean {
    const container = resizableContainers(granted).find(({ name }) => name === running.name);
    const current = container && this.#amounts(granted, running);
    return current !== undefined && resizeRestarts(container!, current, containerAmounts(granted, container!));
  }

  /** The pod with the resources its group was last limited by. */
  actuated(granted: Pod, runtime: RuntimePod): Pod {
    const checkpoint = this.options.checkpoints.get(granted.metadata.uid!);
    if (checkpoint?.actuated.pod) return withResources(granted, checkpoint.actuated.pod);
    const made = new Map(resizableContainers(granted).flatMap(({ name }) => {
      const resources = latestContainer(runtime, name)?.resources;
      return resources ? [[name, resources] as const] : [];
    }));
    return made.size > 0 ? withResources(granted, fromContainers(granted, made)) : granted;
  }

  /** All that `plan` said has been set. */
  done(granted: Pod, plan: ResizePlan): void {
    const { checkpoints } = this.options;
    const uid = granted.metadata.uid!;
    const allocated = resourcesOf(granted);
    const actuated = Object.fromEntries([...plan.memory, ...plan.cpu].map(({ container, id }): [string, ActuatedContainer] =>
      [container.name, { id, container: container.resources ?? {}, ...(granted.spec.resources ? { pod: granted.spec.resources } : {}) }]));
    const before = checkpoints.get(uid);
    checkpoints.set(uid, { allocated: before?.allocated ?? allocated, actuated: { pod: allocated, containers: { ...before?.actuated.containers, ...actuated } } });
    // What has become free here may be what another waits for.
    this.retry();
  }

  /** Setting it failed; it will be tried again. */
  failed(granted: Pod, message: string): void {
    const entry = this.#entries.get(granted.metadata.uid!);
    if (!entry) return;
    const before = entry.inProgress;
    entry.inProgress = { ...this.#condition(before, "Error", message, generationOf(granted)), generation: before?.generation ?? generationOf(granted) };
    if (before?.reason !== "Error" || before.message !== message) this.#event(granted, "Warning", "ResizeError", "Pod resize error", entry.inProgress.generation, message);
  }

  /** Compares what the pod was granted with what it has, and says so when they have become the same. */
  settle(granted: Pod, runtime: RuntimePod): void {
    const entry = this.#entries.get(granted.metadata.uid!);
    if (!entry) return;
    const differs = this.#inProgress(granted, runtime);
    if (differs) entry.inProgress ??= { generation: generationOf(granted), since: this.options.clock.now() };
    else if (entry.inProgress) {
      this.#event(granted, "Normal", "ResizeCompleted", "Pod resize completed", entry.inProgress.generation);
      entry.inProgress = undefined;
    }
  }

  #inProgress(granted: Pod, runtime: RuntimePod): boolean {
    const running = resizableContainers(granted).map(({ name }) => latestContainer(runtime, name)).filter((container) => container?.state === "running");
    return running.some((container) => this.restarts(granted, container!)) || (running.length > 0 && this.plan(granted, runtime) !== undefined);
  }

  #decide(entry: Entry): void {
    const { pod } = entry;
    const uid = pod.metadata.uid!, generation = generationOf(pod);
    const objection = this.options.regrant(pod);
    if (objection === undefined) {
      const actuated = this.options.checkpoints.get(uid)?.actuated ?? { pod: entry.allocated, containers: {} };
      entry.allocated = resourcesOf(pod);
      this.options.checkpoints.set(uid, { allocated: entry.allocated, actuated });
      entry.pending = undefined;
      entry.inProgress = this.#condition(undefined, undefined, undefined, generation);
      this.#event(pod, "Normal", "ResizeStarted", "Pod resize started", generation);
      this.options.wake(uid);
      return;
    }
    const before = entry.pending;
    entry.pending = this.#condition(before, "Deferred", objection, generation);
    if (before?.generation !== generation || before.reason !== "Deferred") this.#event(pod, "Warning", "ResizeDeferred", "Pod resize Deferred", generation, objection);
    if (!semanticEqual(before, entry.pending)) this.options.wake(uid);
  }

  #clearPending(entry: Entry): void {
    if (!entry.pending) return;
    entry.pending = undefined;
    this.options.wake(entry.pod.metadata.uid!);
  }

  #amounts(granted: Pod, running: RuntimeContainer): Amounts | undefined {
    const set = this.options.checkpoints.get(granted.metadata.uid!)?.actuated.containers[running.name];
    const resources = set?.id === running.id ? set : running.resources;
    const container = resources && resizableContainers(granted).find(({ name }) => name === running.name);
    return container && containerAmounts({ ...granted, spec: { ...granted.spec, resources: resources.pod } }, { ...container, resources: resources.container });
  }

  #condition(before: Condition | undefined, reason: string | undefined, message: string | undefined, generation: number): Condition {
    const since = before && before.reason === reason ? before.since : this.options.clock.now();
    return { ...(reason === undefined ? {} : { reason }), ...(message === undefined ? {} : { message }), generation, since };
  }

  #event(pod: Pod, type: "Normal" | "Warning", reason: string, prefix: string, generation: number, error?: string): void {
    this.options.recorder.event(podReference(pod), type, reason, `${prefix}: ${resizeSummary(pod, generation, error)}`);
  }
}

const generationOf = (pod: Pod): number => pod.metadata.generation ?? 0;

function conditionOf(type: string, { reason, message, generation, since }: Condition): PodCondition {
  return { type, status: "True", lastProbeTime: null, lastTransitionTime: time(since), ...(generation > 0 ? { observedGeneration: generation } : {}), ...(reason ? { reason } : {}), ...(message ? { message } : {}) };
}

/** A container that was not made yet will have what the spec says. */
function fromContainers(pod: Pod, made: ReadonlyMap<string, NonNullable<ContainerFacts["resources"]>>): PodResources {
  const { pod: whole, containers } = resourcesOf(pod);
  const [any] = made.values();
  const level = any ? any.pod : whole;
  return { ...(level ? { pod: level } : {}), containers: { ...containers, ...Object.fromEntries([...made].map(([name, { container }]) => [name, container])) } };
}

/** What the API was told before this process began. */
function backfilled({ status }: Pod): Pick<Entry, "pending" | "inProgress"> {
  const read = (wanted: string): Condition | undefined => {
    const found = status?.conditions?.find(({ type }) => type === wanted);
    if (!found) return undefined;
    return { ...(found.reason ? { reason: found.reason } : {}), ...(found.message ? { message: found.message } : {}), generation: found.observedGeneration ?? 0, since: Date.parse(found.lastTransitionTime ?? "") || 0 };
  };
  return { pending: read("PodResizePending"), inProgress: read("PodResizeInProgress") };
}

