import { replicasets } from "../../src/apis/builtins.ts";
import type { Frozen } from "../../src/apimachinery/meta.ts";
import type { Node, Pod, PodSpec } from "../../src/apis/generated/core/v1.ts";
import type { Handle } from "../../src/scheduler/framework.ts";
import { PodNominator } from "../../src/scheduler/nominator.ts";
import { podInfo } from "../../src/scheduler/pod-info.ts";
import { defaultProfile, pluginRegistry } from "../../src/scheduler/plugins/index.ts";
import { createProfile } from "../../src/scheduler/profile.ts";
import { schedule } from "../../src/scheduler/schedule.ts";
import { ClusterState } from "../../src/scheduler/snapshot.ts";
import { atOnce } from "../../src/scheduler/testing/cluster.ts";
import { handleOf } from "../../src/scheduler/testing/handle.ts";
import type { Measure, Row } from "./measure.ts";

const zone = "topology.kubernetes.io/zone", host = "kubernetes.io/hostname", labels = { app: "web" }, labelSelector = { matchLabels: labels };

const kinds: readonly [name: string, spec: Partial<PodSpec>][] = [
  ["alone", {}],
  ["of a ReplicaSet", {}],
  ["with a required node label", { nodeSelector: { disk: "ssd" } }],
  ["spread over zones", { topologySpreadConstraints: [{ maxSkew: 1, topologyKey: zone, whenUnsatisfiable: "DoNotSchedule", labelSelector }] }],
  ["one a host", { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: host, labelSelector }] } } }],
  ["that prefer company", { affinity: { podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 10, podAffinityTerm: { topologyKey: zone, labelSelector } }] } } }],
];

/** What a decision alone costs: the default plugins over 500 nodes that have 10 pods each, pod after pod, each taking up room. */
export const measureDecisions: Measure = ({ quick }) => Promise.resolve(kinds.map(([name, spec]): Row => {
  const samples = decide(name, spec, quick ? 100 : 400);
  return { what: `decision for a pod ${name}, 500 nodes × 10 pods`, values: samples, unit: "µs" };
}));

function decide(kind: string, spec: Partial<PodSpec>, count: number): number[] {
  const state = new ClusterState({ namespaceLabels: () => ({}) });
  for (let i = 0; i < 500; i++) state.setNode(nodeOf(i));
  for (let i = 0; i < 5000; i++) state.setPod({ ...podOf(`old-${i}`, {}, { app: `old-${i % 50}` }), spec: { ...podOf("", {}, {}).spec, nodeName: `node-${i % 500}` } });
  const owner = { metadata: { name: "web", namespace: "default" }, spec: { selector: labelSelector } };
  const handle = { ...handleOf([[replicasets, kind === "of a ReplicaSet" ? [owner] : []]]), snapshot: state, nominator: new PodNominator() } as unknown as Handle;
  const { plugins } = createProfile(defaultProfile(), pluginRegistry, handle);
  const samples: number[] = [];
  let start = 0;
  for (let i = 0; i < count; i++) {
    const pod = podOf(`new-${i}`, spec, labels);
    const began = performance.now();
    const info = podInfo(pod);
    const decision = atOnce(schedule(info, state, plugins, { start, nominator: handle.nominator }));
    if (!decision.fits) throw new Error(`pod ${i} ${kind} fits nowhere`);
    start = (start + decision.evaluated) % 500;
    state.assume(info, decision.nodeName);
    samples.push((performance.now() - began) * 1000);
  }
  return samples.slice(count / 4);
}

const nodeOf = (i: number): Frozen<Node> => ({
  metadata: { name: `node-${i}`, uid: `node-${i}`, labels: { [host]: `node-${i}`, [zone]: `zone-${i % 3}`, disk: i % 2 ? "ssd" : "hdd" } }, spec: {},
  status: { allocatable: { cpu: "32", memory: "64Gi", pods: "110" } },
});

const podOf = (name: string, spec: Partial<PodSpec>, of: Record<string, string>): Frozen<Pod> => ({
  metadata: { name, namespace: "default", uid: name, labels: of, ownerReferences: [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "web", uid: "web", controller: true }] },
  spec: { schedulerName: "default-scheduler", containers: [{ name: "main", image: "web:1", resources: { requests: { cpu: "100m", memory: "64Mi" } } }], ...spec },
});
