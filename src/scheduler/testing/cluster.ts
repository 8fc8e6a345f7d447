import { fakeInformer } from "../../../test/support/fake-informer.ts";
import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import type { Node, NodeSpec, NodeStatus, Pod, PodSpec } from "../../apis/generated/core/v1.ts";
import { isUnresolvable, messageOf, type AnyPlugin, type Handle } from "../framework.ts";
import { PodNominator } from "../nominator.ts";
import { defaultProfile, pluginRegistry } from "../plugins/index.ts";
import { podInfo } from "../pod-info.ts";
import { createProfile, type PluginSet } from "../profile.ts";
import { schedule, scoreAll, type Decision } from "../schedule.ts";
import { createSchedulerMetrics } from "../scheduler-metrics.ts";
import { ClusterState } from "../snapshot.ts";
import { run, type Steps } from "../steps.ts";

export interface NodeShape extends NodeSpec {
  labels?: Record<string, string>;
  allocatable?: Record<string, string>;
  images?: NodeStatus["images"];
}

/** A node with 4 cores, 8 GiB and room for 10 pods, labelled with its hostname. */
export function node(name: string, { labels, allocatable, images, ...spec }: NodeShape = {}): Frozen<Node> {
  return {
    metadata: { name, uid: name, labels: { "kubernetes.io/hostname": name, ...labels } }, spec,
    status: { allocatable: { cpu: "4", memory: "8Gi", pods: "10", ...allocatable }, images },
  };
}

export interface PodShape extends Partial<PodSpec> {
  namespace?: string;
  labels?: Record<string, string>;
  /** Of its one container. */
  requests?: Record<string, string>;
  hostPorts?: { hostPort: number; hostIP?: string; protocol?: "TCP" | "UDP" }[];
}

export function pod(name: string, { namespace = "default", labels, requests, hostPorts = [], ...spec }: PodShape = {}): Frozen<Pod> {
  const ports = hostPorts.map((port) => ({ containerPort: port.hostPort, ...port }));
  return {
    metadata: { name, namespace, uid: name, labels },
    spec: { schedulerName: "default-scheduler", containers: [{ name: "main", image: "main:1", resources: { requests }, ports }], ...spec },
  };
}

/** A cluster of these objects; pods with a nodeName are on their node. */
export function cluster(nodes: readonly Frozen<Node>[], pods: readonly Frozen<Pod>[] = [], { namespaces = {} }: {
  /** Labels by name. */
  namespaces?: Record<string, Record<string, string>>;
} = {}): ClusterState {
  const state = new ClusterState({ namespaceLabels: (name) => namespaces[name] });
  for (const one of nodes) state.setNode(one);
  for (const one of pods) if (one.spec.nodeName) state.setPod(one);
  return state;
}

/** Why each node that won't do won't, for one plugin. */
export function rejectionsBy(plugin: AnyPlugin, wanted: Frozen<Pod>, state: ClusterState): Record<string, string> {
  const info = podInfo(wanted);
  const prepared = plugin.preFilter ? plugin.preFilter(info, state) : { state: undefined };
  if ("skip" in prepared) return {};
  if ("rejected" in prepared) return { "*": messageOf(prepared.rejected) };
  const rejections: Record<string, string> = {};
  for (const one of state.nodes) {
    const rejection = plugin.filter!(info, one, prepared.state);
    if (rejection) rejections[one.name] = messageOf(rejection) + (isUnresolvable(rejection) ? " (for good)" : "");
  }
  return rejections;
}

/** The normalized scores that one plugin gives, by node. */
export function scoresBy(plugin: AnyPlugin, wanted: Frozen<Pod>, state: ClusterState): Record<string, number> {
  const scores = scoreAll(podInfo(wanted), state.nodes, state, { preScore: plugin.preScore ? [plugin] : [], score: [{ plugin, weight: 1 }] }, new Map());
  return Object.fromEntries(state.nodes.map(({ name }, i) => [name, scores[i]!]));
}

/** The default plugins; those that need more than the cluster's state aren't called by decisions alone. */
export const defaultPluginSet = (): PluginSet => createProfile(defaultProfile(), pluginRegistry, handleOf()).plugins;

/** What plugins are made with: lists of these objects, which are of the kinds of the cards, and nothing else. */
export function handleOf(objects: ReadonlyMap<AnyResource, readonly KubeObject[]> = new Map()): Handle {
  const listers = new Map([...objects].map(([card, list]) => [card, fakeInformer(...list).lister]));
  const lister = (card: AnyResource): unknown => listers.get(card) ?? fakeInformer().lister;
  return { lister, metrics: createSchedulerMetrics(), nominator: new PodNominator() } as unknown as Handle;
}

/** Of work that doesn't wait for extenders. */
export function atOnce<T>(steps: Steps<T>): T {
  const result = run(steps);
  if (result instanceof Promise) throw new Error("the work waits");
  return result;
}

export const decide = (wanted: Frozen<Pod>, state: ClusterState, plugins = defaultPluginSet()): Decision => atOnce(schedule(podInfo(wanted), state, plugins, { random: () => 0, nominator: new PodNominator() }));
