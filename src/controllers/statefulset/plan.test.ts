import { describe, expect, test } from "bun:test";
import { statefulsets } from "../../apis/builtins.ts";
import type { StatefulSet } from "../../apis/generated/apps/v1.ts";
import type { PersistentVolumeClaim, Pod } from "../../apis/generated/core/v1.ts";
import type { OwnerReference } from "../../apis/generated/meta/v1.ts";
import { templatePatch } from "../controller-revision.ts";
import { claimTemplates, corrected, newClaim, newPod, ordinalOf, ownsClaimNamed } from "./identity.ts";
import { planStatefulSet, type StatefulSetPlan } from "./plan.ts";
import { retained } from "./retention.ts";
import { expiredRevisions, planRevision } from "./revisions.ts";

const now = Date.parse("2026-01-01T12:00:00Z");
const before = (seconds: number): string => new Date(now - seconds * 1000).toISOString();

type Spec = NonNullable<StatefulSet["spec"]>;
type Template = Spec["template"];
const template = (image: string): Template => ({ metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "c", image }] } });
const old = { name: "web-old", template: template("v1") }, fresh = { name: "web-new", template: template("v2") };

function set(replicas: number, spec: Partial<Spec> = {}, rest: Partial<StatefulSet> = {}): StatefulSet {
  return {
    metadata: { name: "web", namespace: "ns", uid: "set", generation: 2, ...rest.metadata },
    spec: { replicas, serviceName: "svc", selector: { matchLabels: { app: "web" } }, template: template("v2"), podManagementPolicy: "OrderedReady", updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 0 } }, ...spec },
    status: { replicas: 0, availableReplicas: 0, ...rest.status },
  };
}

type State = "ready" | "unready" | "pending" | "failed" | "succeeded" | "terminating" | "fresh";

/** `fresh` has been ready for two seconds. */
function pod(ordinal: number, state: State = "ready", revision = fresh): Pod {
  const made = newPod(set(0), revision.template, revision.name, ordinal);
  const phase = ({ pending: "Pending", failed: "Failed", succeeded: "Succeeded" } as const)[state as string] ?? "Running";
  const ready = state === "ready" || state === "terminating" || state === "fresh";
  return {
    ...made, metadata: { ...made.metadata, uid: `pod-${ordinal}`, ...(state === "terminating" ? { deletionTimestamp: before(1) } : {}) },
    status: { phase, conditions: [{ type: "Ready", status: ready ? "True" : "False", lastTransitionTime: before(state === "fresh" ? 2 : 1000) }] },
  };
}

const claimSpec = { accessModes: ["ReadWriteOnce" as const], resources: { requests: { storage: "1Gi" } } };
const claim = (name: string, owners: OwnerReference[] = [], rest: object = {}): PersistentVolumeClaim => ({ metadata: { name, namespace: "ns", ...(owners.length > 0 ? { ownerReferences: owners } : {}), ...rest }, spec: claimSpec });

function plan(of: StatefulSet, pods: Pod[], { claims = [], current = fresh }: { claims?: PersistentVolumeClaim[]; current?: typeof fresh } = {}): StatefulSetPlan {
  return planStatefulSet({ set: of, pods, claim: (name) => claims.find(({ metadata }) => metadata.name === name), revisions: { current, update: fresh }, now });
}

const acts = ({ phases }: StatefulSetPlan): string[] => phases.flat().map((step) => `${step.act} ${step.pod.metadata.name}`);

describe("the next steps", () => {
  const parallel = { podManagementPolicy: "Parallel" } as const;
  const partition = (at: number): Partial<Spec> => ({ updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: at } } });
  const table: { name: string; set: StatefulSet; pods: Pod[]; current?: typeof fresh; expected: string[] }[] = [
    { name: "the first pod alone", set: set(3), pods: [], expected: ["create web-0"] },
    { name: "the next once the one before is ready", set: set(3), pods: [pod(0)], expected: ["create web-1"] },
    { name: "none while one before isn't ready", set: set(3), pods: [pod(0, "unready")], expected: [] },
    { name: "none while one before is going", set: set(3), pods: [pod(0, "terminating"), pod(1)], expected: [] },
    { name: "none while one before isn't available yet", set: set(3, { minReadySeconds: 10 }), pods: [pod(0, "fresh")], expected: [] },
    { name: "a gap is filled before anything else", set: set(3), pods: [pod(0), pod(2, "unready")], expected: ["create web-1"] },
    { name: "all at once in parallel, gone ones too", set: set(4, parallel), pods: [pod(0, "unready"), pod(2, "terminating")], expected: ["create web-1", "create web-3"] },
    { name: "from another start", set: set(2, { ordinals: { start: 7 }, ...parallel }), pods: [], expected: ["create web-7", "create web-8"] },
    { name: "a moved start condemns what is below", set: set(2, { ordinals: { start: 1 } }), pods: [pod(0), pod(1), pod(2)], expected: ["delete web-0"] },
    { name: "a failed pod goes, others wait", set: set(2), pods: [pod(0, "failed")], expected: ["delete web-0"] },
    { name: "so does one that succeeded, in parallel with others", set: set(2, parallel), pods: [pod(0, "succeeded")], expected: ["delete web-0", "create web-1"] },
    { name: "the highest is taken first", set: set(1), pods: [pod(0), pod(1), pod(2)], expected: ["delete web-2"] },
    { name: "not while another is going", set: set(1), pods: [pod(0), pod(1), pod(2, "terminating")], expected: [] },
    { name: "not while a lower one that stays isn't ready", set: set(1), pods: [pod(0, "unready"), pod(1), pod(2)], expected: [] },
    { name: "nor an unready one while a lower one isn't either", set: set(0), pods: [pod(0, "unready"), pod(1, "unready")], expected: [] },
    { name: "the first unready one may go", set: set(0), pods: [pod(0, "unready")], expected: ["delete web-0"] },
    { name: "all at once in parallel", set: set(1, parallel), pods: [pod(0, "unready"), pod(1), pod(2, "unready")], expected: ["delete web-2", "delete web-1"] },
    { name: "a rollout replaces the highest", set: set(3), pods: [pod(0, "ready", old), pod(1, "ready", old), pod(2, "ready", old)], current: old, expected: ["delete web-2"] },
    { name: "then the next, when it is back", set: set(3), pods: [pod(0, "ready", old), pod(1, "ready", old), pod(2)], current: old, expected: ["delete web-1"] },
    { name: "not before, also in parallel", set: set(3, parallel), pods: [pod(0, "ready", old), pod(1, "ready", old), pod(2, "unready")], current: old, expected: [] },
    { name: "a broken old pod isn't replaced in order", set: set(2), pods: [pod(0), pod(1, "unready", old)], current: old, expected: [] },
    { name: "in parallel it is", set: set(2, parallel), pods: [pod(0), pod(1, "unready", old)], current: old, expected: ["delete web-1"] },
    { name: "none below the partition", set: set(3, partition(2)), pods: [pod(0, "ready", old), pod(1, "ready", old), pod(2)], current: old, expected: [] },
    { name: "OnDelete leaves it to users", set: set(2, { updateStrategy: { type: "OnDelete" } }), pods: [pod(0, "ready", old), pod(1, "ready", old)], current: old, expected: [] },
    { name: "scaling comes before a rollout", set: set(2), pods: [pod(0, "ready", old), pod(1, "ready", old), pod(2, "ready", old)], current: old, expected: ["delete web-2"] },
    { name: "nothing while it is deleted", set: set(3, {}, { metadata: { name: "web", deletionTimestamp: before(1) } }), pods: [pod(0)], expected: [] },
  ];
  for (const { name, set: of, pods, current, expected } of table) {
    test(name, () => expect(acts(plan(of, pods, current ? { current } : {}))).toEqual(expected));
  }
});

test("a pod that comes back below the partition is as it was", () => {
  const revisions = (of: StatefulSet, pods: Pod[]): (string | undefined)[] => plan(of, pods, { current: old }).phases.flat().map((step) => step.pod.metadata.labels?.["controller-revision-hash"]);
  const canary = set(3, { podManagementPolicy: "Parallel", updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 2 } } });
  expect(revisions(canary, [])).toEqual(["web-old", "web-old", "web-new"]);
  expect(revisions(set(2, { podManagementPolicy: "Parallel", updateStrategy: { type: "RollingUpdate" } }, { status: { replicas: 2, availableReplicas: 0, currentReplicas: 1 } } as Partial<StatefulSet>), [])).toEqual(["web-old", "web-new"]);
  expect(revisions(set(1, { updateStrategy: { type: "OnDelete" } }), [])).toEqual(["web-new"]);
});

describe("the status", () => {
  test("counts, also those that go, and by revision those that stay", () => {
    const { status } = plan(set(4, { minReadySeconds: 10 }), [pod(0, "ready", old), pod(1), pod(2, "fresh"), pod(3, "terminating"), { ...pod(0), metadata: { name: "stray" } }], { current: old });
    expect(status).toEqual({ observedGeneration: 2, replicas: 4, readyReplicas: 4, availableReplicas: 3, currentReplicas: 1, updatedReplicas: 2, currentRevision: "web-old", updateRevision: "web-new", collisionCount: 0 });
  });
  test("has one current pod less when the rollout takes one", () => {
    expect(plan(set(2), [pod(0, "ready", old), pod(1, "ready", old)], { current: old }).status.currentReplicas).toBe(1);
    // One of a third revision is nobody's current pod.
    expect(plan(set(1), [pod(0, "ready", { ...old, name: "web-older" })], { current: old }).status.currentReplicas).toBe(0);
  });
  test("ends a rollout once all are new and ready", () => {
    expect(plan(set(2), [pod(0), pod(1)], { current: old }).status).toMatchObject({ currentRevision: "web-new", currentReplicas: 2, updatedReplicas: 2 });
    expect(plan(set(2), [pod(0), pod(1, "unready")], { current: old }).status).toMatchObject({ currentRevision: "web-old", currentReplicas: 0 });
    expect(plan(set(2, { updateStrategy: { type: "OnDelete" } }), [pod(0), pod(1)], { current: old }).status.currentRevision).toBe("web-old");
  });
});

describe("claims", () => {
  const data = { metadata: { name: "data", labels: { tier: "db" }, annotations: { note: "x" } }, spec: claimSpec };
  const withClaims = (replicas: number, spec: Partial<Spec> = {}): StatefulSet => set(replicas, { volumeClaimTemplates: [data], ...spec });
  const stored = (ordinal: number, state: State): Pod => ({ ...pod(ordinal, state), spec: { ...pod(ordinal).spec, volumes: [{ name: "data", persistentVolumeClaim: { claimName: `data-web-${ordinal}` } }] } });

  test("are made before the pod, with the set's labels", () => {
    const [step] = plan(withClaims(1), []).phases.flat();
    expect(step!.create).toEqual([{ metadata: { name: "data-web-0", namespace: "ns", labels: { tier: "db", app: "web" }, annotations: { note: "x" } }, spec: claimSpec }]);
    expect(step!.pod.spec.volumes).toEqual([{ name: "data", persistentVolumeClaim: { claimName: "data-web-0" } }]);
  });
  test("that are there are taken, those that go are waited for", () => {
    expect(plan(withClaims(1), [], { claims: [claim("data-web-0")] }).phases.flat()[0]).toMatchObject({ act: "create" });
    expect(plan(withClaims(1), [], { claims: [claim("data-web-0", [], { deletionTimestamp: before(1) })] }).phases.flat()[0]).toMatchObject({ act: "create", leaving: ["data-web-0"] });
  });
  test("that a pending pod lost are made again", () => {
    expect(acts(plan(withClaims(1), [stored(0, "pending")]))).toEqual(["claims web-0"]);
    expect(acts(plan(withClaims(1), [stored(0, "ready")]))).toEqual([]);
  });
  test("of the pod that had the name before hold up the next, when they are to go with it", () => {
    const stale = claim("data-web-0", [{ apiVersion: "v1", kind: "Pod", name: "web-0", uid: "before", controller: true }]);
    expect(acts(plan(withClaims(1, { persistentVolumeClaimRetentionPolicy: { whenScaled: "Delete" } }), [], { claims: [stale] }))).toEqual([]);
    expect(acts(plan(withClaims(1), [], { claims: [stale] }))).toEqual(["create web-0"]);
  });
  test("belong to whom the policy says, which a condemned pod learns before it goes", () => {
    const policy = { persistentVolumeClaimRetentionPolicy: { whenScaled: "Delete", whenDeleted: "Delete" } } as const;
    const { phases } = plan(withClaims(0, policy), [stored(0, "ready")], { claims: [claim("data-web-0")] });
    expect(phases.map((steps) => steps.map((step) => [step.act, step.retain?.map(({ metadata }) => metadata.ownerReferences?.map(({ uid }) => uid))]))).toEqual([[["claims", [["pod-0"]]]], [["delete", undefined]]]);
  });

  const ofSet: OwnerReference = { apiVersion: "apps/v1", kind: "StatefulSet", name: "web", uid: "set", controller: true, blockOwnerDeletion: true };
  const ofPod: OwnerReference = { apiVersion: "v1", kind: "Pod", name: "web-0", uid: "pod-0", controller: true, blockOwnerDeletion: true };
  const other: OwnerReference = { apiVersion: "example.com/v1", kind: "Keeper", name: "k", uid: "k", controller: true };
  type Policy = "Retain" | "Delete";
  const table: { name: string; whenDeleted: Policy; whenScaled: Policy; replicas: number; owners: OwnerReference[]; expected: string[] | undefined }[] = [
    { name: "retained both times: nobody's", whenDeleted: "Retain", whenScaled: "Retain", replicas: 1, owners: [ofSet], expected: [] },
    { name: "retained and nobody's: as it should be", whenDeleted: "Retain", whenScaled: "Retain", replicas: 1, owners: [other], expected: undefined },
    { name: "deleted with the set: the set's", whenDeleted: "Delete", whenScaled: "Retain", replicas: 1, owners: [], expected: ["set"] },
    { name: "the set's, though scaled away", whenDeleted: "Delete", whenScaled: "Retain", replicas: 0, owners: [ofPod], expected: ["set"] },
    { name: "deleted when scaled away, and not yet: nobody's", whenDeleted: "Retain", whenScaled: "Delete", replicas: 1, owners: [ofPod], expected: [] },
    { name: "scaled away: the pod's", whenDeleted: "Retain", whenScaled: "Delete", replicas: 0, owners: [], expected: ["pod-0"] },
    { name: "both, not yet: the set's", whenDeleted: "Delete", whenScaled: "Delete", replicas: 1, owners: [ofSet], expected: undefined },
    { name: "both, scaled away: the pod's", whenDeleted: "Delete", whenScaled: "Delete", replicas: 0, owners: [ofSet], expected: ["pod-0"] },
    { name: "a reference that doesn't control becomes one that does", whenDeleted: "Delete", whenScaled: "Retain", replicas: 1, owners: [{ ...ofSet, controller: false }], expected: ["set"] },
    { name: "somebody else's stays so", whenDeleted: "Delete", whenScaled: "Delete", replicas: 1, owners: [other], expected: undefined },
    { name: "and ours go from there", whenDeleted: "Delete", whenScaled: "Delete", replicas: 1, owners: [other, { ...ofSet, controller: false }], expected: ["k"] },
    { name: "another set's of that name is not touched", whenDeleted: "Delete", whenScaled: "Retain", replicas: 1, owners: [{ ...ofSet, uid: "before" }], expected: undefined },
  ];
  for (const { name, whenDeleted, whenScaled, replicas, owners, expected } of table) {
    test(name, () => {
      const of = withClaims(replicas, { persistentVolumeClaimRetentionPolicy: { whenDeleted, whenScaled } });
      expect(retained(claim("data-web-0", owners), of, stored(0, "ready"))?.metadata.ownerReferences?.map(({ uid }) => uid)).toEqual(expected);
    });
  }

  test("are known by their names", () => {
    const of = withClaims(2);
    expect(newClaim(claimTemplates(of)[0]!, of, 3).metadata.name).toBe("data-web-3");
    expect(["data-web-0", "data-web-x", "data-web2-0", "logs-web-0"].map((name) => ownsClaimNamed(of, name))).toEqual([true, false, false, false]);
  });
});

test("identity: what a pod lost is put back", () => {
  expect(corrected(set(1), pod(0))).toBeUndefined();
  expect(corrected(set(1), { ...pod(0), metadata: { ...pod(0).metadata, labels: { app: "web" } } })?.metadata.labels).toEqual({ app: "web", "statefulset.kubernetes.io/pod-name": "web-0", "apps.kubernetes.io/pod-index": "0" });
  expect(["web-0", "web-12", "web", "web-99999999999"].map((name) => ordinalOf({ metadata: { name }, spec: { containers: [] } }))).toEqual([0, 12, -1, -1]);
});

describe("revisions", () => {
  const revision = (name: string, number: number, image: string) => ({ metadata: { name }, revision: number, data: templatePatch(template(image)) });
  const of = (image: string): StatefulSet => set(1, { template: template(image) });

  test("the first, the same, a new one and an old one again", () => {
    expect(planRevision(of("v1"), [])).toMatchObject({ is: "new", next: 1, data: { spec: { template: { $patch: "replace" } } } });
    expect(planRevision(of("v2"), [revision("a", 1, "v1"), revision("b", 2, "v2")])).toMatchObject({ is: "newest", revision: { metadata: { name: "b" } } });
    expect(planRevision(of("v3"), [revision("a", 1, "v1"), revision("b", 2, "v2")])).toMatchObject({ is: "new", next: 3 });
    expect(planRevision(of("v1"), [revision("a", 1, "v1"), revision("b", 2, "v2")])).toMatchObject({ is: "old", revision: { metadata: { name: "a" } }, next: 3 });
  });
  test("one from before a field had a default is the same", () => {
    const sparse = { metadata: { name: "a" }, revision: 1, data: templatePatch(template("v1")) };
    const full = of("v1");
    statefulsets.default!(full);
    expect(full.spec!.template!.spec!.restartPolicy).toBe("Always");
    expect(planRevision(full, [sparse])).toMatchObject({ is: "newest" });
  });
  test("beyond the limit go, oldest first, but none that is in use", () => {
    const history = ["a", "b", "c", "d", "e"].map((name, i) => revision(name, i + 1, `v${i}`));
    const inUse = pod(0, "ready", { ...old, name: "a" });
    expect(expiredRevisions(set(1, { revisionHistoryLimit: 1 }), [inUse], history, ["e"])).toEqual(["b", "c"]);
    expect(expiredRevisions(set(1, { revisionHistoryLimit: 0 }), [inUse], history, ["e"])).toEqual(["b", "c", "d"]);
    expect(expiredRevisions(set(1, { revisionHistoryLimit: -1 }), [inUse], history, ["e"])).toEqual([]);
  });
});
