import { describe, expect, test } from "bun:test";
import type { DaemonSet } from "../../apis/generated/apps/v1.ts";
import type { Node, Pod, Taint, Toleration } from "../../apis/generated/core/v1.ts";
import { templatePatch } from "../controller-revision.ts";
import { daemonPod, isUpdated, nodeOf } from "./daemon-pod.ts";
import { daemonTolerations, eligibility, sameToDaemons } from "./eligibility.ts";
import { FailedPodBackoff } from "./failed-pod-backoff.ts";
import { expiredRevisions, planHistory } from "./history.ts";
import { planDaemonSet, type DaemonSetView } from "./plan.ts";
import { statusOf } from "./status.ts";

const now = Date.parse("2026-01-01T12:00:00Z");
const before = (seconds: number): string => new Date(now - seconds * 1000).toISOString();

type Spec = NonNullable<DaemonSet["spec"]>;
type PodSpec = Pod["spec"];

function log(spec: Partial<Spec> = {}, podSpec: Partial<PodSpec> = {}): DaemonSet {
  return {
    metadata: { name: "log", namespace: "ns", uid: "ds", generation: 4, annotations: { "deprecated.daemonset.template.generation": "4" } },
    spec: {
      selector: { matchLabels: { app: "log" } }, template: { metadata: { labels: { app: "log" } }, spec: { containers: [{ name: "c", image: "v2" }], ...podSpec } },
      updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } }, ...spec,
    },
  };
}

const rolling = (maxUnavailable: number | string, maxSurge: number | string = 0): Partial<Spec> => ({ updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable, maxSurge } } });
const node = (name: string, { labels, taints }: { labels?: Record<string, string>; taints?: Taint[] } = {}): Node => ({ metadata: { name, labels: { "kubernetes.io/hostname": name, ...labels } }, spec: taints ? { taints } : {} });

type State = "ready" | "fresh" | "unready" | "pending" | "unscheduled" | "failed" | "succeeded" | "terminating";

/** Of the new revision unless told; `fresh` has been ready for two seconds. */
function pod(on: string, state: State = "ready", { old = false, age = 100, name = `${on}-${old ? "old" : "new"}` }: { old?: boolean; age?: number; name?: string } = {}): Pod {
  const made = daemonPod(log(), old ? "h1" : "h2", on);
  const ready = state === "ready" || state === "terminating" || state === "fresh";
  return {
    metadata: {
      ...made.metadata, name, uid: name, creationTimestamp: before(age), labels: { ...made.metadata.labels, "pod-template-generation": old ? "3" : "4" },
      ...(state === "terminating" ? { deletionTimestamp: before(1) } : {}),
    },
    spec: { ...made.spec, ...(state === "unscheduled" ? {} : { nodeName: on }) },
    status: { phase: ({ failed: "Failed", succeeded: "Succeeded", pending: "Pending", unscheduled: "Pending" } as const)[state as string] ?? "Running", conditions: [{ type: "Ready", status: ready ? "True" : "False", lastTransitionTime: before(state === "fresh" ? 2 : 60) }] },
  };
}

const oldPod = (on: string, state: State = "ready"): Pod => pod(on, state, { old: true });

function view(ds: DaemonSet, nodes: Node[], pods: Pod[], heldBack = 0): DaemonSetView {
  return { ds, nodes, pods, eligible: eligibility(ds), hash: "h2", now, heldBack: () => heldBack };
}

const taint = (effect: Taint["effect"], key = "k"): Taint => ({ key, effect });

describe("a node", () => {
  const affinity = (terms: NonNullable<NonNullable<NonNullable<PodSpec["affinity"]>["nodeAffinity"]>["requiredDuringSchedulingIgnoredDuringExecution"]>["nodeSelectorTerms"]): Partial<PodSpec> =>
    ({ affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } } } });
  const yes = { run: true, stay: true }, no = { run: false, stay: false }, stays = { run: false, stay: true };
  const table: { name: string; pod?: Partial<PodSpec>; node: Node; expected: { run: boolean; stay: boolean } }[] = [
    { name: "without more is eligible", node: node("a"), expected: yes },
    { name: "with a label that is asked for", pod: { nodeSelector: { disk: "ssd" } }, node: node("a", { labels: { disk: "ssd" } }), expected: yes },
    { name: "without it", pod: { nodeSelector: { disk: "ssd" } }, node: node("a"), expected: no },
    { name: "that one of the terms picks", pod: affinity([{ matchExpressions: [{ key: "disk", operator: "Exists" }] }, { matchFields: [{ key: "metadata.name", operator: "In", values: ["a"] }] }]), node: node("a"), expected: yes },
    { name: "that no term picks, for an empty one picks none", pod: affinity([{}, { matchExpressions: [{ key: "cores", operator: "Gt", values: ["4"] }] }]), node: node("a", { labels: { cores: "4" } }), expected: no },
    { name: "that is named", pod: { nodeName: "a" }, node: node("a"), expected: yes },
    { name: "that isn't the one named", pod: { nodeName: "b" }, node: node("a"), expected: no },
    { name: "that isn't to get more pods", node: node("a", { taints: [taint("NoSchedule")] }), expected: stays },
    { name: "that is to lose its pods", node: node("a", { taints: [taint("NoExecute")] }), expected: no },
    { name: "that others avoid", node: node("a", { taints: [taint("PreferNoSchedule")] }), expected: yes },
    { name: "whose taint is tolerated", pod: { tolerations: [{ key: "k", operator: "Exists" }] }, node: node("a", { taints: [taint("NoExecute")] }), expected: yes },
    { name: "in trouble", node: node("a", { taints: [taint("NoExecute", "node.kubernetes.io/unreachable"), taint("NoSchedule", "node.kubernetes.io/disk-pressure"), taint("NoSchedule", "node.kubernetes.io/unschedulable")] }), expected: yes },
    { name: "without a network", node: node("a", { taints: [taint("NoSchedule", "node.kubernetes.io/network-unavailable")] }), expected: stays },
    { name: "without a network, for those that need none", pod: { hostNetwork: true }, node: node("a", { taints: [taint("NoSchedule", "node.kubernetes.io/network-unavailable")] }), expected: yes },
  ];
  for (const { name, pod: podSpec, node: candidate, expected } of table) test(name, () => expect(eligibility(log({}, podSpec))(candidate)).toEqual(expected));

  test("matters again when labels or taints change, not at each heartbeat", () => {
    expect(sameToDaemons(node("a"), { ...node("a"), status: { conditions: [{ type: "Ready", status: "False" }] } })).toBe(true);
    expect(sameToDaemons(node("a"), node("a", { labels: { disk: "ssd" } }))).toBe(false);
    expect(sameToDaemons(node("a", { taints: [] }), node("a"))).toBe(true);
    expect(sameToDaemons(node("a"), node("a", { taints: [taint("NoSchedule")] }))).toBe(false);
  });
});

describe("a daemon pod", () => {
  test("asks for its node, over what the template asks for", () => {
    const preferred = [{ weight: 1, preference: { matchExpressions: [{ key: "disk", operator: "Exists" as const }] } }];
    const made = daemonPod(log({}, { affinity: { podAntiAffinity: {}, nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: preferred, requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{}] } } } }), "h2", "a");
    expect(made.spec.affinity).toEqual({ podAntiAffinity: {}, nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: preferred, requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", operator: "In", values: ["a"] }] }] } } });
    expect(made.spec.nodeName).toBeUndefined();
    expect(nodeOf(made)).toBe("a");
    expect(made.metadata).toMatchObject({ generateName: "log-", labels: { app: "log", "controller-revision-hash": "h2", "pod-template-generation": "4" }, ownerReferences: [{ kind: "DaemonSet", uid: "ds", controller: true }] });
  });
  test("tolerates troubles for good", () => {
    const short: Toleration = { key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute", tolerationSeconds: 5 };
    const tolerations = daemonTolerations({ containers: [], tolerations: [{ key: "mine" }, short] });
    expect(tolerations.slice(0, 2)).toEqual([{ key: "mine" }, { key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute" }]);
    expect(tolerations).toHaveLength(7);
  });
  test("is up to date by its hash, or by the number of the template", () => {
    const updated = isUpdated(log(), "h2");
    expect([oldPod("a"), pod("a"), { ...oldPod("a"), metadata: { labels: { "pod-template-generation": "4" } } }].map(updated)).toEqual([false, true, true]);
    expect(isUpdated({ ...log(), metadata: { annotations: { "deprecated.daemonset.template.generation": "many" } } }, "h2")({ ...oldPod("a"), metadata: { labels: { "pod-template-generation": "many" } } })).toBe(false);
  });
});

describe("the next steps", () => {
  const abc = ["a", "b", "c"].map((name) => node(name));
  const surge = rolling(0, 1);
  const table: { name: string; ds?: DaemonSet; nodes?: Node[]; pods: Pod[]; creates?: string[]; deletes?: string[]; heldBack?: number; requeueAfter?: number }[] = [
    { name: "a pod for each node that has none", pods: [pod("b", "unscheduled")], creates: ["a", "c"] },
    { name: "nothing for a node whose pod is going", pods: [pod("a"), pod("b"), pod("c", "terminating")] },
    { name: "all pods of a node that isn't eligible", ds: log({}, { nodeSelector: { disk: "ssd" } }), pods: [pod("a"), pod("b", "terminating")], deletes: ["a-new"] },
    { name: "but not of one that only isn't to get more", nodes: [node("a", { taints: [taint("NoSchedule")] }), node("b", { taints: [taint("NoSchedule")] })], pods: [pod("a")] },
    { name: "all but the oldest on a node, scheduled ones first", nodes: [node("a")], pods: [pod("a", "unscheduled", { age: 500, name: "x" }), pod("a", "ready", { age: 10, name: "y" }), pod("a", "ready", { age: 20, name: "z" })], deletes: ["y", "x"] },
    { name: "failed and succeeded pods", pods: [pod("a", "failed"), pod("b", "succeeded"), pod("c")], deletes: ["a-new", "b-new"] },
    { name: "failed ones not too often", pods: [pod("a", "failed"), pod("b", "succeeded"), pod("c")], deletes: ["b-new"], heldBack: 3000, requeueAfter: 3000 },
    { name: "pods that were to go to a node that is gone", pods: [pod("a"), pod("b"), pod("c"), pod("gone", "unscheduled"), pod("left")], deletes: ["gone-new"] },
    { name: "a rollout takes one old pod", pods: [oldPod("a"), oldPod("b"), oldPod("c")], deletes: ["a-old"] },
    { name: "waits until the new one is ready", pods: [pod("a", "unready"), oldPod("b"), oldPod("c")] },
    { name: "and available", ds: log({ minReadySeconds: 10 }), pods: [pod("a", "fresh"), oldPod("b"), oldPod("c")] },
    { name: "waits for one that is going", pods: [oldPod("a", "terminating"), oldPod("b"), oldPod("c")] },
    { name: "takes broken ones in any case, then no good one", pods: [oldPod("a", "unready"), oldPod("b", "pending"), oldPod("c")], deletes: ["a-old", "b-old"] },
    { name: "a share of the nodes, rounded up", ds: log(rolling("50%")), pods: [oldPod("a"), oldPod("b"), oldPod("c")], deletes: ["a-old", "b-old"] },
    { name: "OnDelete takes none", ds: log({ updateStrategy: { type: "OnDelete" } }), pods: [oldPod("a", "unready"), oldPod("b"), oldPod("c")] },
    { name: "missing pods come before a rollout", pods: [oldPod("a"), oldPod("b")], creates: ["c"] },
    { name: "a surge makes the new one first", ds: log(surge), pods: [oldPod("a"), oldPod("b"), oldPod("c")], creates: ["a"] },
    { name: "and waits for it", ds: log(surge), pods: [oldPod("a"), pod("a", "unready"), oldPod("b"), oldPod("c")] },
    { name: "then takes the old one", ds: log(surge), pods: [oldPod("a"), pod("a"), oldPod("b"), oldPod("c")], deletes: ["a-old"] },
    { name: "an old one that broke goes at once", ds: log(surge), pods: [oldPod("a", "unready"), pod("a", "unready"), oldPod("b"), oldPod("c")], deletes: ["a-old"] },
    { name: "broken ones are replaced beyond the surge", ds: log(surge), pods: [oldPod("a"), oldPod("b", "unready"), oldPod("c", "unready")], creates: ["b", "c", "a"] },
    { name: "in a surge a node is never without a pod that stays", ds: log(surge), pods: [pod("a", "terminating"), pod("b"), pod("c")], creates: ["a"] },
    { name: "what is too much of a surge goes", ds: log(surge), nodes: [node("a")], pods: [oldPod("a"), pod("a", "unready"), pod("a", "unready", { age: 1, name: "again" })], deletes: ["again"] },
    { name: "a node that isn't eligible any more serves until others do", ds: log(surge), nodes: [node("a", { taints: [taint("NoSchedule")] }), node("b")], pods: [oldPod("a"), pod("b", "unready")] },
    { name: "and no longer", ds: log(surge), nodes: [node("a", { taints: [taint("NoSchedule")] }), node("b")], pods: [oldPod("a"), pod("b")], deletes: ["a-old"] },
  ];
  for (const { name, ds = log(), nodes = abc, pods, creates = [], deletes = [], heldBack, requeueAfter } of table) {
    test(name, () => {
      const plan = planDaemonSet(view(ds, nodes, pods, heldBack));
      expect({ creates: plan.create, deletes: plan.delete.map(({ metadata }) => metadata.name!), requeueAfter: plan.requeueAfter }).toEqual({ creates, deletes, requeueAfter });
    });
  }
});

test("the status counts nodes, by the first of their pods", () => {
  const nodes = [...["a", "b", "c", "d"].map((name) => node(name)), node("e", { taints: [taint("NoSchedule")] })];
  const pods = [oldPod("a", "terminating"), pod("a", "unready", { age: 1 }), pod("b", "fresh"), pod("c"), pod("e"), pod("d", "failed", { name: "over" })];
  pods.at(-1)!.metadata.deletionTimestamp = before(1);
  expect(statusOf(view(log({ minReadySeconds: 10 }), nodes, pods), 0)).toEqual({
    status: { desiredNumberScheduled: 4, currentNumberScheduled: 3, numberMisscheduled: 1, numberReady: 3, updatedNumberScheduled: 2, numberAvailable: 2, numberUnavailable: 2, observedGeneration: 4 },
    requeueAfter: 8000,
  });
});

describe("the history", () => {
  const revision = (name: string, number: number, data: Record<string, unknown>) => ({ metadata: { name, labels: { "controller-revision-hash": name } }, revision: number, data });
  const present = templatePatch(log().spec!.template!), other = { spec: { template: { $patch: "replace" } } };
  test("gets a revision for a new template, and a new number for an old one", () => {
    expect(planHistory(log(), [revision("a", 3, other)])).toMatchObject({ number: 4, duplicates: [], data: present });
    expect(planHistory(log(), [revision("a", 3, other)]).current).toBeUndefined();
    expect(planHistory(log(), [revision("a", 3, other), revision("b", 1, present)])).toMatchObject({ current: { metadata: { name: "b" } }, number: 4 });
    expect(planHistory(log(), [revision("a", 3, other), revision("b", 7, present)])).toMatchObject({ current: { metadata: { name: "b" } }, number: 7 });
  });
  test("has one revision of a template", () => {
    const { current, duplicates, old } = planHistory(log(), [revision("b", 2, present), revision("c", 1, present), revision("a", 3, other)]);
    expect([current, ...duplicates, ...old].map((found) => found!.metadata.name)).toEqual(["b", "c", "a"]);
  });
  test("is as long as its limit, unless pods are of more", () => {
    const old = ["h0", "h1", "h3"].map((name, i) => revision(name, i, other));
    expect(expiredRevisions(log({ revisionHistoryLimit: 1 }), old, [oldPod("a")])).toEqual(["h0", "h3"]);
    expect(expiredRevisions(log({ revisionHistoryLimit: 3 }), old, [])).toEqual([]);
  });
});

test("a node whose pods fail is tried ever more seldom, until they don't for a while", () => {
  const backoff = new FailedPodBackoff();
  expect(backoff.remaining("n", 5)).toBe(0);
  const waits = Array.from({ length: 12 }, () => {
    backoff.next("n", 5);
    return backoff.remaining("n", 5);
  });
  expect([waits[0], waits[1], waits[2], waits.at(-1)]).toEqual([1000, 2000, 4000, 900_000]);
  expect(backoff.remaining("n", 600_005)).toBe(300_000);
  backoff.next("n", 3_600_005);
  expect(backoff.remaining("n", 3_600_005)).toBe(1000);
});
