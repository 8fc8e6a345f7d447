import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import type { ResourceCard } from "../apimachinery/resource.ts";
import type { Pod } from "../apis/generated/core/v1.ts";
import type { Client } from "../client/client.ts";
import type { Lister } from "../client/informer.ts";
import type { EventRecorder } from "../client/recorder.ts";
import type { EventInterest } from "./cluster-events.ts";
import type { Extender, ExtenderConfiguration } from "./extender/extender.ts";
import type { NodeInfo } from "./node-info.ts";
import type { PodInfo } from "./pod-info.ts";
import type { SchedulerMetrics } from "./scheduler-metrics.ts";
import type { Snapshot } from "./snapshot.ts";
import type { Status } from "./status.ts";

export * from "./status.ts";

/** `skip`: the plugin has nothing to say of this pod, its `filter` isn't called. */
export type PreFilterResult<F> =
  | { skip: true }
  | { rejected: Status; /** For the filters of a dry run, when removing pods might help. */ state?: F }
  | { state: F; /** Only these nodes can do. */ nodeNames?: ReadonlySet<string> };

/** `skip`: the plugin's `score` isn't called. */
export type PreScoreResult<S> = { skip: true } | { state: S };

/** Keeps what `preFilter` worked out right while a dry run moves pods: preemption, and nominated pods. */
export interface PreFilterExtensions<F> {
  /** A copy that `addPod` and `removePod` may change. */
  clone(state: F): F;
  /** `added` is on the node now. */
  addPod(pod: PodInfo, added: PodInfo, node: NodeInfo, state: F): void;
  /** `removed` is on the node no more. */
  removePod(pod: PodInfo, removed: PodInfo, node: NodeInfo, state: F): void;
}

/** `nominate`: the node whose pods make room; "" takes an earlier nomination back; undefined leaves it. */
export interface PostFilterResult {
  status: Status | undefined;
  nominate?: string;
}

export const maxNodeScore = 100;

/**
 * A part of the decision, at kube-scheduler's extension points. Undefined as a status is success; what is thrown counts as status Error.
 * All up to `score` are pure: the same snapshot, the same answer. `F` and `S` are what `preFilter` and `preScore` work out once for the points
 * after them; `F` is undefined where `preFilter` skipped, isn't enabled or doesn't exist, and each attempt has its own.
 */
export interface Plugin<F = unknown, S = unknown> {
  readonly name: string;
  /** What may end a rejection by this plugin; without it any change may. */
  events?(): readonly EventInterest[];
  /** Keeps a pod out of the queue until an event of the plugin's; the reasons say why. */
  preEnqueue?(pod: Frozen<Pod>): Status | undefined;
  /** Who goes first: negative when `a` does. One plugin of a scheduler. */
  queueSort?(a: QueuedPodInfo, b: QueuedPodInfo): number;
  preFilter?(pod: PodInfo, snapshot: Snapshot): PreFilterResult<F>;
  readonly preFilterExtensions?: PreFilterExtensions<F>;
  /** Undefined when the pod can go there. Called for each node, until a plugin rejects it: return constants, allocate nothing. */
  filter?(pod: PodInfo, node: NodeInfo, state: F): Status | undefined;
  /** When no node fits: makes room, or says why that is no use. */
  postFilter?(pod: PodInfo, cycle: FailedCycle): PostFilterResult | Promise<PostFilterResult>;
  preScore?(pod: PodInfo, nodes: readonly NodeInfo[], snapshot: Snapshot, prefiltered: F | undefined): PreScoreResult<S>;
  /** From 0 to 100, higher is better; any number when there is `normalize`. */
  score?(pod: PodInfo, node: NodeInfo, state: S): number;
  /** Brings the scores, in the order of `nodes`, to 0 … 100, in place. */
  normalize?(scores: number[], nodes: readonly NodeInfo[], state: S): void;
  /** Takes what the pod needs besides the node, in memory. When it or something after it fails, `unreserve` is called for all, in reverse. */
  reserve?(pod: PodInfo, nodeName: string, state: F | undefined): Status | undefined;
  /** Must not fail, and may be called without `reserve` having been. */
  unreserve?(pod: PodInfo, nodeName: string, state: F | undefined): void;
  /** `waitFor(ms)` holds the binding until somebody allows or rejects the pod, or the time is over. */
  permit?(pod: PodInfo, nodeName: string, state: F | undefined): Status | undefined;
  /** `skip` when `preBind` will do nothing for this pod. Then nobody is told of the node beforehand. */
  preBindPreFlight?(pod: PodInfo, nodeName: string, state: F | undefined): Status | undefined;
  /** Before binding, outside the decision; may take long. A rejection or an error takes the pod back to the queue. Aborted when the pod is preempted or the scheduler stops. */
  preBind?(pod: PodInfo, nodeName: string, state: F | undefined, signal: AbortSignal): Promise<Status | undefined>;
  /** `skip` leaves it to the next plugin. */
  bind?(pod: PodInfo, nodeName: string): Promise<Status | undefined>;
  postBind?(pod: PodInfo, nodeName: string, state: F | undefined): void;
}

export type AnyPlugin = Plugin<any, any>;

/** Keeps a plugin's states typed, and says in the code where a plugin is. */
export function definePlugin<F = unknown, S = unknown>(plugin: Plugin<F, S>): AnyPlugin {
  return plugin;
}

/** Makes a profile's instance. `args` are those of its pluginConfig, with defaults; undefined for plugins without any. */
export type PluginFactory<A = any> = (args: A, handle: Handle) => AnyPlugin;

/** What plugins reach besides what they are called with. */
export interface Handle {
  /** spec.schedulerName of the pods of this profile. */
  readonly profileName: string;
  readonly client: Client;
  readonly clock: Clock;
  readonly recorder: EventRecorder;
  readonly log: Logger;
  readonly metrics: SchedulerMetrics;
  /** To be asked for while the plugin is made: the scheduler begins when all listers are complete. */
  lister<T extends KubeObject>(card: ResourceCard<T>): Lister<T>;
  /** The cluster, with pods that are about to be bound. Not for hints and preEnqueue. */
  readonly snapshot: Snapshot;
  readonly nominator: Nominator;
  readonly waitingPods: WaitingPods;
  /** Ends the preBind of a pod; false when there is none to end, or no more. */
  cancelPreBind(uid: string, reason: string): boolean;
  /** What was done for the pod in the background has failed: it is to be tried again, after a back-off. */
  backOff(pod: Frozen<Pod>): void;
  /** Work that outlives the decision; the scheduler waits for it when it stops. It must not throw. */
  inBackground(work: Promise<void>): void;
}

/** Pods that have been promised a node, while others make room there. */
export interface Nominator {
  readonly size: number;
  on(nodeName: string): readonly PodInfo[];
  nodeOf(uid: string): string | undefined;
}

export interface WaitingPod {
  readonly pod: PodInfo;
  readonly nodeName: string;
  /** Names of the plugins it waits for. */
  readonly pendingPlugins: readonly string[];
  allow(plugin: string): void;
  /** False when it was decided already. The pod counts as rejected by the plugin. */
  reject(plugin: string, message: string): boolean;
  /** As `reject`, but the pod is tried again after its back-off. */
  preempt(plugin: string, message: string): boolean;
}

export interface WaitingPods {
  get(uid: string): WaitingPod | undefined;
  all(): Iterable<WaitingPod>;
}

/** A pod in the queue, as queueSort sees it. */
export interface QueuedPodInfo {
  readonly pod: Frozen<Pod>;
  /** When it was put there last, in monotonic milliseconds. */
  readonly timestamp: number;
}

/** A decision that found no node, as `postFilter` sees it. */
export interface FailedCycle {
  readonly snapshot: Snapshot;
  /** Why the node won't do. */
  statusOf(nodeName: string): Status;
  /** False when a `preFilter` before that of the plugin rejected the pod for good. */
  prepared(plugin: string): boolean;
  /** What can be run again with pods moved. */
  readonly filters: FilterCycle;
  /** Those that the pod is the business of. */
  readonly extenders: readonly Extender[];
}

/** The filters of one attempt and what their preFilters worked out. */
export interface FilterCycle {
  /** Undefined when the pod can go there, with pods of its priority and above that are nominated to the node, and without. */
  filter(node: NodeInfo): Status | undefined;
  /** For a dry run of its own. */
  clone(): FilterCycle;
  /** To be called after the node has the pod. */
  addPod(added: PodInfo, node: NodeInfo): void;
  /** To be called after the node has the pod no more. */
  removePod(removed: PodInfo, node: NodeInfo): void;
}

export const extensionPoints = ["preEnqueue", "queueSort", "preFilter", "filter", "postFilter", "preScore", "score", "reserve", "permit", "preBind", "bind", "postBind"] as const;
export type ExtensionPoint = (typeof extensionPoints)[number];

/** A profile as configured: all defaults applied, multiPoint expanded. */
export interface ProfileConfiguration {
  schedulerName: string;
  /** By extension point, in the order in which they run; those that don't extend the point are passed over. `weight` counts for score; default 1. */
  plugins: Readonly<Record<ExtensionPoint, readonly { name: string; weight?: number }[]>>;
  /** By plugin name. */
  pluginArgs: Readonly<Record<string, unknown>>;
  /** Overrides that of the whole scheduler. */
  percentageOfNodesToScore?: number;
}

export interface SchedulerConfiguration {
  profiles: readonly ProfileConfiguration[];
  /** As configured. */
  extenders?: readonly ExtenderConfiguration[];
  /** Default 0: by the size of the cluster. */
  percentageOfNodesToScore?: number;
  /** Default 1. */
  podInitialBackoffSeconds?: number;
  /** Default 10. */
  podMaxBackoffSeconds?: number;
}

/** Scores in proportion to the highest; with `reverse` the lowest is best. Source: kubernetes plugins/helper (DefaultNormalizeScore). */
export function normalizeByMax(scores: number[], { reverse = false }: { reverse?: boolean } = {}): void {
  let max = 0;
  for (const score of scores) if (score > max) max = score;
  for (let i = 0; i < scores.length; i++) {
    const score = max === 0 ? 0 : Math.floor((maxNodeScore * scores[i]!) / max);
    scores[i] = reverse ? maxNodeScore - score : score;
  }
}
