import type { Logger } from "../../base/log.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import { maxNodeScore, unresolvable, unschedulable, type Status } from "../framework.ts";
import type { NodeInfo } from "../node-info.ts";
import type { PodInfo } from "../pod-info.ts";
import type { Candidate } from "../preemption/candidates.ts";
import type { Snapshot } from "../snapshot.ts";
import { post, type ExtenderEndpoint } from "./post.ts";
import { asList, asNumber, asObject, asText, textsOf } from "./result.ts";

/** Everything of an extender of KubeSchedulerConfiguration; a verb that is "" isn't called. */
export interface ExtenderConfiguration extends ExtenderEndpoint {
  filterVerb: string;
  prioritizeVerb: string;
  preemptVerb: string;
  bindVerb: string;
  /** Multiplies its scores. */
  weight: number;
  /** It knows the nodes: names are enough. */
  nodeCacheCapable: boolean;
  /** Only pods that ask for one of these are its business; empty: all pods. */
  managedResources: readonly string[];
  /** Pods are scheduled also while it fails. */
  ignorable: boolean;
}

/** Has a say in decisions from outside the process. Its methods throw when the call fails or the answer makes no sense. */
export interface Extender {
  readonly ignorable: boolean;
  /** Which of its methods may be called. */
  readonly calls: Readonly<Record<"filter" | "prioritize" | "preempt" | "bind", boolean>>;
  readonly log: Logger;
  readonly url: string;
  isInterested(pod: Frozen<Pod>): boolean;
  /** The nodes that are left; of others, why they won't do, as far as it says so. */
  filter(pod: PodInfo, nodes: readonly NodeInfo[]): Promise<{ passed: NodeInfo[]; failed: Map<string, Status> }>;
  /** What is to be added to scores, by node name. */
  prioritize(pod: PodInfo, nodes: readonly NodeInfo[]): Promise<Map<string, number>>;
  /** The candidates that are left, with the victims it wants. */
  preempt(pod: PodInfo, candidates: readonly Candidate[], snapshot: Snapshot): Promise<Candidate[]>;
  bind(pod: PodInfo, nodeName: string): Promise<void>;
}

/** Scores of extenders end at 10. Source: k8s.io/kube-scheduler/extender/v1 (MaxExtenderPriority). */
const scoreScale = maxNodeScore / 10;

/** Speaks HTTP as kube-scheduler does. Source: kubernetes pkg/scheduler/extender.go, k8s.io/kube-scheduler/extender/v1. */
export function createExtender(configuration: ExtenderConfiguration, { signal, log }: { signal: AbortSignal; log: Logger }): Extender {
  const { urlPrefix, filterVerb, prioritizeVerb, preemptVerb, bindVerb, weight, nodeCacheCapable, ignorable } = configuration;
  const managed = new Set(configuration.managedResources);
  const call = (verb: string, args: unknown): Promise<unknown> => post(configuration, verb, args, signal);
  const argsFor = ({ pod }: PodInfo, nodes: readonly NodeInfo[]): unknown =>
    nodeCacheCapable ? { Pod: pod, Nodes: null, NodeNames: nodes.map(({ name }) => name) } : { Pod: pod, Nodes: { metadata: {}, items: nodes.map(({ node }) => node) }, NodeNames: null };

  return {
    ignorable, log, url: urlPrefix,
    calls: { filter: filterVerb !== "", prioritize: prioritizeVerb !== "", preempt: preemptVerb !== "", bind: bindVerb !== "" },
    isInterested: ({ spec }) => managed.size === 0 || [...spec.containers, ...(spec.initContainers ?? [])].some(({ resources }) => asksFor(managed, resources?.requests) || asksFor(managed, resources?.limits)),

    async filter(pod, nodes) {
      const result = asObject(await call(filterVerb, argsFor(pod, nodes)));
      const error = asText(result("Error"));
      if (error) throw new Error(error);
      const names = nodeCacheCapable ? result("NodeNames") : undefined;
      const named = names ? asList(names).map(asText) : asList(asObject(result("Nodes"))("items")).map((item) => asText(asObject(asObject(item)("metadata"))("name")));
      const given = new Map(nodes.map((node) => [node.name, node]));
      const passed = named.map((name) => {
        const node = given.get(name);
        if (!node) throw new Error(`extender ${JSON.stringify(urlPrefix)} claims a filtered node ${JSON.stringify(name)} which is not found in the input node list`);
        return node;
      });
      const failed = new Map<string, Status>();
      for (const [name, why] of textsOf(result("FailedNodes"))) failed.set(name, unschedulable(why));
      for (const [name, why] of textsOf(result("FailedAndUnresolvableNodes"))) failed.set(name, unresolvable(why));
      return { passed, failed };
    },

    async prioritize(pod, nodes) {
      const scores = new Map<string, number>();
      for (const item of asList(await call(prioritizeVerb, argsFor(pod, nodes)))) {
        const entry = asObject(item);
        const host = asText(entry("Host"));
        scores.set(host, (scores.get(host) ?? 0) + asNumber(entry("Score")) * weight * scoreScale);
      }
      return scores;
    },

    async preempt(pod, candidates, snapshot) {
      const entries = candidates.map(({ nodeName, victims, violations }) => [nodeName, { Pods: victims.map((victim) => (nodeCacheCapable ? { UID: victim.uid } : victim.pod)), NumPDBViolations: violations }]);
      const offered = Object.fromEntries(entries) as unknown;
      const result = asObject(await call(preemptVerb, { Pod: pod.pod, NodeNameToVictims: nodeCacheCapable ? null : offered, NodeNameToMetaVictims: nodeCacheCapable ? offered : null }));
      const wanted = result("NodeNameToMetaVictims") ?? {};
      if (typeof wanted !== "object") throw new Error("json: cannot unmarshal NodeNameToMetaVictims");
      return Object.entries(wanted).map(([nodeName, value]) => {
        const meta = asObject(value);
        const node = snapshot.node(nodeName);
        if (!node) throw new Error(`nodeinfo not found for node name ${JSON.stringify(nodeName)}`);
        const known = candidates.find((candidate) => candidate.nodeName === nodeName)?.victims ?? [];
        const victims = asList(meta("Pods")).map((item) => {
          const uid = asText(asObject(item)("UID"));
          const victim = known.find((one) => one.uid === uid) ?? node.pods.get(uid);
          if (!victim) throw new Error(`extender: ${urlPrefix} claims to preempt pod (UID: &{${uid}}) on node: ${nodeName}, but the pod is not found on that node`);
          return victim;
        });
        return { nodeName, victims, violations: asNumber(meta("NumPDBViolations")) };
      });
    },

    async bind({ pod: { metadata }, uid }, nodeName) {
      const result = asObject(await call(bindVerb, { PodName: metadata.name, PodNamespace: metadata.namespace, PodUID: uid, Node: nodeName }));
      const error = asText(result("Error"));
      if (error) throw new Error(error);
    },
  };
}

const asksFor = (managed: ReadonlySet<string>, amounts: Readonly<Record<string, unknown>> = {}): boolean => Object.keys(amounts).some((name) => managed.has(name));
