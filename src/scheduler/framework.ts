import type { Frozen } from "../apimachinery/meta.ts";
import type { Pod } from "../apis/generated/core/v1.ts";
import type { Client } from "../client/client.ts";
import type { NodeInfo } from "./node-info.ts";
import type { PodInfo } from "./pod-info.ts";
import type { Snapshot } from "./snapshot.ts";

/** Why a pod can't go to a node, or to any. */
export interface Rejection {
  readonly reasons: readonly string[];
  /** Removing pods from the node wouldn't help (kube-scheduler's UnschedulableAndUnresolvable). */
  readonly unresolvable: boolean;
}

export const unschedulable = (...reasons: string[]): Rejection => ({ reasons, unresolvable: false });
export const unresolvable = (...reasons: string[]): Rejection => ({ reasons, unresolvable: true });

/** Changes that may let a pod fit which didn't. */
export type ClusterEvent = "NodeAdd" | "NodeUpdate" | "AssignedPodAdd" | "AssignedPodUpdate" | "AssignedPodDelete" | "PodUpdate" | "NamespaceUpdate";

/** `skip`: the plugin has nothing to say of this pod, its later points aren't called. */
export type PreFilterResult<S> =
  | { skip: true }
  | { rejected: Rejection }
  | { state: S; /** Only these nodes can do. */ nodeNames?: ReadonlySet<string> };

export type PreScoreResult<S> = { skip: true } | { state: S };

export const maxNodeScore = 100;

/**
 * A part of the decision, at kube-scheduler's extension points. All but `bind` are pure: the same snapshot, the same answer.
 * `F` and `S` are what `preFilter` and `preScore` work out once for `filter` and `score`, which are called for each node.
 */
export interface Plugin<F = unknown, S = unknown> {
  readonly name: string;
  /** Of the score; default 1. */
  readonly weight?: number;
  /** What may end a rejection by this plugin. */
  readonly requeueOn?: readonly ClusterEvent[];
  /** Keeps a pod out of the queue until it changes; the message says why. */
  preEnqueue?(pod: Frozen<Pod>): string | undefined;
  preFilter?(pod: PodInfo, snapshot: Snapshot): PreFilterResult<F>;
  /** Undefined when the pod can go there. Stops at the first plugin that rejects the node. */
  filter?(pod: PodInfo, node: NodeInfo, state: F): Rejection | undefined;
  preScore?(pod: PodInfo, nodes: readonly NodeInfo[], snapshot: Snapshot): PreScoreResult<S>;
  /** From 0 to 100, higher is better; any number when there is `normalize`. */
  score?(pod: PodInfo, node: NodeInfo, state: S): number;
  /** Brings the scores, in the order of `nodes`, to 0 … 100, in place. */
  normalize?(scores: number[], nodes: readonly NodeInfo[], state: S): void;
  /** Called in order before binding; when one throws, or binding fails, `unreserve` is called in reverse. Must be quick. */
  reserve?(pod: PodInfo, nodeName: string): void;
  unreserve?(pod: PodInfo, nodeName: string): void;
  /** True when this plugin has bound the pod; then later ones aren't asked. */
  bind?(pod: PodInfo, nodeName: string, client: Client): Promise<boolean>;
}

export type AnyPlugin = Plugin<any, any>;

/** Keeps a plugin's states typed, and says in the code where a plugin is. */
export function definePlugin<F = unknown, S = unknown>(plugin: Plugin<F, S>): AnyPlugin {
  return plugin;
}

/** Scores in proportion to the highest; with `reverse` the lowest is best. Source: kubernetes plugins/helper (DefaultNormalizeScore). */
export function normalizeByMax(scores: number[], { reverse = false }: { reverse?: boolean } = {}): void {
  const max = Math.max(0, ...scores);
  for (let i = 0; i < scores.length; i++) {
    const score = max === 0 ? 0 : Math.floor((maxNodeScore * scores[i]!) / max);
    scores[i] = reverse ? maxNodeScore - score : score;
  }
}
