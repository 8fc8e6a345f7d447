import type { Clock } from "../base/clock.ts";
import { logger, type Logger } from "../base/log.ts";
import { semanticEqual } from "../apimachinery/equality.ts";
import type { Frozen } from "../apimachinery/meta.ts";
import { isNotFound } from "../apimachinery/status.ts";
import { namespaces, nodes, pods, replicasets, services } from "../apis/builtins.ts";
import type { Namespace, Node, Pod } from "../apis/generated/core/v1.ts";
import type { Client } from "../client/client.ts";
import type { InformerFactory } from "../client/informer.ts";
import type { EventRecorder } from "../client/recorder.ts";
import { concerns, isAssigned, isPending, nodeActions, podActions, type ClusterEvent } from "./cluster-events.ts";
import { fitError, noNodesAvailable } from "./failure-message.ts";
import type { AnyPlugin, Handle } from "./framework.ts";
import { PodNominator } from "./nominator.ts";
import { podInfo, type PodInfo } from "./pod-info.ts";
import { defaultProfile, pluginRegistry } from "./plugins/index.ts";
import { createProfile } from "./profile.ts";
import { createSchedulerMetrics } from "./scheduler-metrics.ts";
import { SchedulingQueue, type QueuedPod } from "./queue.ts";
import { reportFailure, type FailureReason } from "./report.ts";
import { schedule } from "./schedule.ts";
import { ClusterState } from "./snapshot.ts";

export interface SchedulerOptions {
  client: Client;
  informers: InformerFactory;
  /** Its component should be `default-scheduler`. */
  recorder: EventRecorder;
  clock: Clock;
  log?: Logger;
  /** Pods that name another scheduler are left alone. */
  schedulerName?: string;
  random?: () => number;
}

export interface Scheduler {
  readonly name: string;
  /** Finds nodes for pods until `signal` aborts; resolves when no binding is under way. */
  run(signal: AbortSignal): Promise<void>;
}

/** Bindings under way at once: enough for writes to share commits. */
const bindingLimit = 64;
/** Decisions are made in one go for so long, in milliseconds; then others have their turn. */
const timeSlice = 5;

/**
 * kube-scheduler: takes pods without a node by priority and age, decides where they go as a pure function of the cluster's state, counts them
 * there at once, and binds them while the next is decided.
 */
export function createScheduler({ client, informers, recorder, clock, log = logger("scheduler"), schedulerName = "default-scheduler", random }: SchedulerOptions): Scheduler {
  const namespaceLister = informers.informer(namespaces).lister;
  const serviceLister = informers.informer(services).lister;
  const replicasetLister = informers.informer(replicasets).lister;
  const state = new ClusterState({
    namespaceLabels: (name) => namespaceLister.get(name)?.metadata.labels,
    services: (namespace) => serviceLister.list(namespace),
    replicaset: (namespace, name) => replicasetLister.get(`${namespace}/${name}`),
  });
  const nominator = new PodNominator();
  const handle: Handle = {
    profileName: schedulerName, client, clock, recorder, log, metrics: createSchedulerMetrics(), snapshot: state, nominator,
    lister: (card) => informers.informer(card).lister,
    waitingPods: { get: () => undefined, all: () => [] }, cancelPreBind: () => undefined, activate: () => undefined, inBackground: () => undefined,
  };
  const { plugins, interests } = createProfile(defaultProfile(schedulerName), pluginRegistry, handle);
  const queue = new SchedulingQueue({
    clock,
    admits: (pod) => plugins.preEnqueue.every((plugin) => plugin.preEnqueue!(pod) === undefined),
    // Without a name for who said no (there were no nodes), any change may help.
    mayHelp: (event, rejector) => interests.get(rejector)?.some((interest) => concerns(interest, event)) ?? true,
  });
  const isOurs = (pod: Frozen<Pod> | undefined): pod is Frozen<Pod> => isPending(pod) && !pod.metadata.deletionTimestamp && pod.spec.schedulerName === schedulerName;
  const underWay = new Set<Promise<void>>();
  let start = 0;

  function onNode(old: Frozen<Node> | undefined, current: Frozen<Node> | undefined): void {
    if (!current) return state.removeNode(old!.metadata.name!);
    state.setNode(current);
    if (!old) queue.moveOn({ resource: "Node", action: "Add", current });
    else for (const action of nodeActions(old, current)) queue.moveOn({ resource: "Node", action, old, current });
  }

  function onPod(old: Frozen<Pod> | undefined, current: Frozen<Pod> | undefined): void {
    const uid = (current ?? old)!.metadata.uid!;
    const event = placePod(uid, old, current);
    if (isOurs(current)) queue.update(current, old !== undefined && podActions(old, current)[0] !== "Update");
    else queue.remove(uid);
    if (event) queue.moveOn({ resource: "AssignedPod", action: event, old, current });
  }

  /** What the change of a pod's place means to others. */
  function placePod(uid: string, old: Frozen<Pod> | undefined, current: Frozen<Pod> | undefined): ClusterEvent["action"] | undefined {
    const was = isAssigned(old);
    if (!isAssigned(current)) {
      // A pod that goes while it is being bound gives its room back too.
      const wasAssumed = !isOurs(current) && state.forget(uid);
      if (was) state.removePod(uid);
      return was || wasAssumed ? "Delete" : undefined;
    }
    const action = was ? podActions(old, current)[0]! : "Add";
    state.setPod(current);
    return action;
  }

  function onNamespace(old: Frozen<Namespace> | undefined, current: Frozen<Namespace> | undefined): void {
    if (current && old && !semanticEqual(old.metadata.labels, current.metadata.labels)) queue.moveOn({ resource: "Namespace", action: "Update", old, current });
  }

  /** Decides; what follows is written in the background. */
  function attempt(entry: QueuedPod): void {
    const pod = podInfo(entry.pod);
    const decision = schedule(pod, state, plugins, { start, random, nominator });
    if (!decision.fits) {
      const { diagnosis } = decision;
      queue.reject(entry, diagnosis.nodes === 0 ? anyone : diagnosis.rejectors);
      return inBackground(report(entry, "Unschedulable", diagnosis.nodes === 0 ? noNodesAvailable : fitError(diagnosis)), pod);
    }
    start = (start + decision.evaluated) % state.nodes.length;
    state.assume(pod, decision.nodeName);
    inBackground(bind(entry, pod, decision.nodeName), pod);
  }

  /** What is said of a pod is written in the order in which it was found, and before it is bound. */
  function report(entry: QueuedPod, reason: FailureReason, message: string): Promise<void> {
    const { pod } = entry;
    const told = Promise.resolve(entry.told).then(() => reportFailure(pod, reason, message, { client, recorder, now: clock.now() }));
    entry.told = told.catch(() => undefined);
    return told;
  }

  async function bind(entry: QueuedPod, pod: PodInfo, nodeName: string): Promise<void> {
    const reserved: AnyPlugin[] = [];
    try {
      for (const plugin of plugins.reserve) {
        reserved.unshift(plugin);
        plugin.reserve?.(pod, nodeName, undefined);
      }
      await entry.told;
      await runBind(pod, nodeName);
    } catch (error) {
      for (const plugin of reserved) plugin.unreserve?.(pod, nodeName, undefined);
      if (state.forget(pod.uid)) queue.moveOn({ resource: "AssignedPod", action: "Delete", old: pod.pod });
      // A pod that is gone has left the queue.
      if (!queue.retryLater(entry) || isNotFound(error)) return;
      log.warn("Binding a pod failed, will try again", { pod: pod.key, node: nodeName, error });
      return report(entry, "SchedulerError", `binding rejected: ${(error as Error).message}`);
    }
    recorder.event(pod.pod, "Normal", "Scheduled", `Successfully assigned ${pod.key} to ${nodeName}`);
  }

  async function runBind(pod: PodInfo, nodeName: string): Promise<void> {
    for (const plugin of plugins.bind) if (!(await plugin.bind!(pod, nodeName))) return;
    throw new Error("no plugin binds pods");
  }

  function inBackground(work: Promise<void>, { key }: PodInfo): void {
    const guarded: Promise<void> = work
      .catch((error: unknown) => log.warn("Saying why a pod has no node failed", { pod: key, error }))
      .finally(() => underWay.delete(guarded));
    underWay.add(guarded);
  }

  async function work(): Promise<void> {
    let sliceEnds = performance.now() + timeSlice;
    for (let entry = await queue.take(); entry; entry = await queue.take()) {
      try {
        attempt(entry);
      } catch (error) {
        log.error("Deciding on a pod failed", { pod: `${entry.pod.metadata.namespace}/${entry.pod.metadata.name}`, error });
        queue.retryLater(entry);
      }
      if (underWay.size >= bindingLimit) await Promise.race(underWay);
      if (performance.now() < sliceEnds) continue;
      await new Promise<void>((resolve) => setImmediate(resolve));
      sliceEnds = performance.now() + timeSlice;
    }
  }

  return {
    name: "scheduler",
    async run(signal) {
      const close = (): void => queue.close();
      signal.addEventListener("abort", close, { once: true });
      if (signal.aborted) close();
      const unsubscribe = [informers.informer(nodes).onChange(onNode), informers.informer(namespaces).onChange(onNamespace), informers.informer(pods).onChange(onPod)];
      try {
        await Promise.all([nodes, pods, namespaces, services, replicasets].map((card) => informers.informer<never>(card as never).synced(signal)));
        await work();
      } catch (error) {
        if (!signal.aborted) throw error;
      } finally {
        signal.removeEventListener("abort", close);
        for (const end of unsubscribe) end();
        await Promise.all(underWay);
      }
    },
  };
}

/** Stands for a rejection by no plugin in particular. */
const anyone: ReadonlySet<string> = new Set([""]);
