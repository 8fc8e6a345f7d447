import type { Frozen } from "../../apimachinery/meta.ts";
import type { Node, Pod } from "../../apis/generated/core/v1.ts";
import { isExtendedResource } from "../../apis/core/resource-names.ts";
import type { Hint } from "../cluster-events.ts";
import { nodeResourcesFitArgs, type NodeResourcesFitArgs } from "../configuration/plugin-args.ts";
import { definePlugin, unresolvable, unschedulable, type AnyPlugin, type Status } from "../framework.ts";
import type { NodeInfo } from "../node-info.ts";
import { podInfo, type PodInfo } from "../pod-info.ts";
import { parseResources, type Resources } from "../resources.ts";
import { nodeScorer, nonZeroRequestList, type RequestList } from "./resource-scoring.ts";

/** What the pod asks for must be free; among nodes that fit, the strategy says which are better. Source: kubernetes plugins/noderesources/fit.go. */
export function nodeResourcesFit({ ignoredResources, ignoredResourceGroups, scoringStrategy }: NodeResourcesFitArgs = nodeResourcesFitArgs()): AnyPlugin {
  const { resources } = scoringStrategy;
  const scoreOf = nodeScorer(scoringStrategy);
  const isIgnored = (name: string): boolean => isExtendedResource(name) && (ignoredResources.includes(name) || ignoredResourceGroups.includes(name.split("/")[0]!));
  const ignores = ignoredResources.length + ignoredResourceGroups.length > 0 ? isIgnored : undefined;
  return definePlugin<undefined, RequestList>({
    name: "NodeResourcesFit",
    events: () => [
      { resource: "Pod", actions: ["Delete", "UpdatePodScaleDown"], hint: afterPodChange },
      { resource: "Node", actions: ["Add", "UpdateNodeAllocatable"], hint: afterNodeChange },
    ],
    filter: (pod, node) => insufficient(pod, node, ignores),
    preScore: (pod) => ({ state: nonZeroRequestList(pod, resources) }),
    score: (pod, node, requests = nonZeroRequestList(pod, resources)) => scoreOf(node, requests),
  });
}

const tooManyPods = unschedulable("Too many pods");
/** The usual answers, made once: filters run for every node. */
const shortages = new Map<string, { now: Status; ever: Status }>();

function shortageOf(name: string): { now: Status; ever: Status } {
  let known = shortages.get(name);
  if (!known) shortages.set(name, (known = { now: unschedulable(`Insufficient ${name}`), ever: unresolvable(`Insufficient ${name}`) }));
  return known;
}

/** Nothing that leaves would help where the node as a whole is too small. */
function insufficient({ requests }: PodInfo, node: NodeInfo, isIgnored: ((name: string) => boolean) | undefined): Status | undefined {
  let status = node.pods.size + 1 > (node.allocatable.get("pods") ?? 0) ? tooManyPods : undefined;
  for (const [name, amount] of requests) {
    if (amount === 0) continue;
    const allocatable = node.allocatable.get(name) ?? 0;
    if (amount <= allocatable - (node.requested.get(name) ?? 0) || isIgnored?.(name)) continue;
    const { now, ever } = shortageOf(name);
    const shortage = amount > allocatable ? ever : now;
    status = status ? joined(status, shortage) : shortage;
  }
  return status;
}

const joined = (a: Status, b: Status): Status => ({ code: a.code === "UnschedulableAndUnresolvable" ? a.code : b.code, reasons: [...a.reasons, ...b.reasons] });

function afterPodChange(pod: Frozen<Pod>, old: Frozen<Pod> | undefined, current: Frozen<Pod> | undefined): Hint {
  if (!current) return old?.spec.nodeName || old?.status?.nominatedNodeName ? "Queue" : "Skip";
  if (current.metadata.uid === pod.metadata.uid) return "Queue";
  return current.spec.nodeName && old && freesAny(podInfo(pod).requests, podInfo(old).requests, podInfo(current).requests) ? "Queue" : "Skip";
}

const freesAny = (wanted: Resources, before: Resources, after: Resources): boolean => [...wanted].some(([name, amount]) => amount > 0 && (before.get(name) ?? 0) > (after.get(name) ?? 0));

/** Only a node that would have room when empty, and has more of something the pod wants than it had. */
function afterNodeChange(pod: Frozen<Pod>, old: Frozen<Node> | undefined, current: Frozen<Node> | undefined): Hint {
  const { requests } = podInfo(pod);
  const now = current ? allocatableOf(current) : nothing;
  if ((now.get("pods") ?? 0) < 1) return "Skip";
  for (const [name, amount] of requests) if (amount > (now.get(name) ?? 0)) return "Skip";
  if (!old) return "Queue";
  const before = allocatableOf(old);
  const grew = (name: string): boolean => (now.get(name) ?? 0) > (before.get(name) ?? 0);
  if (grew("pods")) return "Queue";
  for (const [name, amount] of requests) if (amount > 0 && grew(name)) return "Queue";
  return "Skip";
}

const nothing: Resources = new Map();
const parsed = new WeakMap<Frozen<Node>, Resources>();

/** Read once for each object: every waiting pod asks. */
function allocatableOf(node: Frozen<Node>): Resources {
  let known = parsed.get(node);
  if (!known) parsed.set(node, (known = parseResources(node.status?.allocatable)));
  return known;
}
