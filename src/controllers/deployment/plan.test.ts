import { describe, expect, test } from "bun:test";
import type { Deployment, ReplicaSet } from "../../apis/generated/apps/v1.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import { planDeployment, type DeploymentPlan } from "./plan.ts";
import { fenceposts, newReplicas } from "./replicas.ts";
import { planRollback } from "./rollback.ts";
import { condition } from "./status.ts";
import { sameTemplate, templateHash } from "./template.ts";

const now = Date.parse("2026-01-01T12:00:00Z");

const none = (): Pod[] => [];

type Template = Deployment["spec"]["template"];
const template = (image: string, labels: Record<string, string> = {}): Template => ({ metadata: { labels: { app: "web", ...labels } }, spec: { containers: [{ name: "c", image }] } });

function deployment(spec: Partial<Deployment["spec"]> = {}, rest: Partial<Deployment> = {}): Deployment {
  return {
    metadata: { name: "web", namespace: "default", uid: "d", generation: 1, ...rest.metadata },
    spec: {
      replicas: 4, selector: { matchLabels: { app: "web" } }, template: template("v1"), progressDeadlineSeconds: 600, revisionHistoryLimit: 10,
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } }, ...spec,
    },
    status: rest.status,
  };
}

interface SetFacts {
  available?: number;
  age?: number;
  revision?: number | string;
  desired?: number;
  max?: number;
  history?: string;
}

function set(image: string, replicas: number, { available = replicas, age = 100, revision = 1, desired = 4, max = 5, history }: SetFacts = {}): ReplicaSet {
  const annotations = {
    "deployment.kubernetes.io/revision": String(revision), "deployment.kubernetes.io/desired-replicas": String(desired), "deployment.kubernetes.io/max-replicas": String(max),
    ...(history ? { "deployment.kubernetes.io/revision-history": history } : {}),
  };
  return {
    metadata: { name: `web-${image}`, namespace: "default", uid: image, generation: 1, annotations, creationTimestamp: new Date(now - age * 1000).toISOString() },
    spec: { replicas, selector: {}, template: template(image, { "pod-template-hash": image }) },
    status: { replicas, readyReplicas: available, availableReplicas: available, observedGeneration: 1 },
  };
}

const sizes = (plan: DeploymentPlan): Record<string, number> => Object.fromEntries(plan.update.map(({ replicaSet }) => [replicaSet.metadata.name!, replicaSet.spec.replicas!]));

describe("fenceposts", () => {
  for (const [surge, unavailable, replicas, expected] of [
    ["25%", "25%", 4, { surge: 1, unavailable: 1 }], ["25%", "25%", 10, { surge: 3, unavailable: 2 }], [0, 0, 3, { surge: 0, unavailable: 1 }],
    ["1%", "1%", 5, { surge: 1, unavailable: 0 }], ["0%", "1%", 5, { surge: 0, unavailable: 1 }], [2, "50%", 3, { surge: 2, unavailable: 1 }],
  ] as const) {
    test(`${surge} and ${unavailable} of ${replicas}`, () => expect(fenceposts(surge, unavailable, replicas)).toEqual(expected));
  }
});

test("the new ReplicaSet grows into the room that is left", () => {
  const d = deployment();
  expect([[4, 0], [5, 0], [3, 1], [0, 0]].map(([old, current]) => newReplicas(d, [set("a", old!), set("b", current!)], current!))).toEqual([1, 0, 2, 4]);
});

describe("the first rollout", () => {
  const plan = planDeployment(deployment({}, { metadata: { annotations: { "kubernetes.io/change-cause": "first", "kubectl.kubernetes.io/last-applied-configuration": "{}" } } }), [], none, now);
  test("makes a ReplicaSet with the hash in name, labels, selector and template", () => {
    const rs = plan.create!;
    const hash = templateHash(template("v1"));
    expect(rs.metadata.name).toBe(`web-${hash}`);
    expect(rs.metadata.labels).toEqual({ app: "web", "pod-template-hash": hash });
    expect(rs.spec.selector).toEqual({ matchLabels: { app: "web", "pod-template-hash": hash } });
    expect(rs.spec.template?.metadata?.labels).toEqual({ app: "web", "pod-template-hash": hash });
    expect(rs.spec.replicas).toBe(4);
    expect(rs.metadata.annotations).toEqual({ "kubernetes.io/change-cause": "first", "deployment.kubernetes.io/revision": "1", "deployment.kubernetes.io/desired-replicas": "4", "deployment.kubernetes.io/max-replicas": "5" });
  });
  test("says so", () => {
    expect(plan.revision).toBe("1");
    expect(condition(plan.status.conditions, "Progressing")).toMatchObject({ status: "True", reason: "NewReplicaSetCreated" });
    expect(condition(plan.status.conditions, "Available")).toMatchObject({ status: "False", reason: "MinimumReplicasUnavailable" });
    expect(plan.requeueAfter).toBe(601_000);
  });
});

describe("steps", () => {
  const v2 = { template: template("v2") };
  const table: { name: string; d: Deployment; sets: ReplicaSet[]; pods?: Pod[]; expected: Record<string, number>; created?: number }[] = [
    { name: "a new template gets what fits in the surge", d: deployment(v2), sets: [set("v1", 4)], expected: {}, created: 1 },
    { name: "old ones shrink by what may be unavailable", d: deployment(v2), sets: [set("v1", 4), set("v2", 1, { available: 0, revision: 2 })], expected: { "web-v1": 3 } },
    { name: "nothing moves while the new ones are not available", d: deployment(v2), sets: [set("v1", 3), set("v2", 2, { available: 0, revision: 2 })], expected: {} },
    { name: "unhealthy old ones go first", d: deployment(v2), sets: [set("v1", 4, { available: 2 }), set("v2", 1, { available: 0, revision: 2 })], expected: { "web-v1": 3 } },
    { name: "the new one grows before the old shrink", d: deployment(v2), sets: [set("v1", 2), set("v2", 2, { revision: 2 })], expected: { "web-v2": 3 } },
    { name: "rollover takes from the oldest", d: deployment({ template: template("v3") }), sets: [set("v1", 3, { age: 300 }), set("v2", 1, { age: 200, revision: 2, available: 0 }), set("v3", 1, { available: 0, revision: 3 })], expected: { "web-v2": 0 } },
    { name: "a rollback numbers the old one anew", d: deployment({}), sets: [set("v1", 0, { revision: 1 }), set("v2", 4, { revision: 2, age: 50 })], expected: { "web-v1": 1 } },
    { name: "a lone ReplicaSet follows the size", d: deployment({ replicas: 7 }), sets: [set("v1", 4)], expected: { "web-v1": 7 } },
    { name: "several share a growth in proportion", d: deployment({ ...v2, replicas: 15, strategy: { rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } } }), sets: [set("v1", 8, { desired: 10, max: 13 }), set("v2", 5, { desired: 10, max: 13, revision: 2 })], expected: { "web-v1": 11, "web-v2": 7 } },
    { name: "several share a shrinking in proportion", d: deployment({ ...v2, replicas: 5, strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 2 } } }), sets: [set("v1", 8, { desired: 10, max: 10 }), set("v2", 2, { desired: 10, max: 10, revision: 2 })], expected: { "web-v1": 4, "web-v2": 1 } },
    { name: "a paused one is scaled, but not rolled", d: deployment({ ...v2, paused: true, replicas: 6 }), sets: [set("v1", 4)], expected: { "web-v1": 6 } },
    { name: "Recreate stops the old ones first", d: deployment({ ...v2, strategy: { type: "Recreate" } }), sets: [set("v1", 4, { max: 4 })], expected: { "web-v1": 0 } },
    { name: "Recreate waits for pods that still run", d: deployment({ ...v2, strategy: { type: "Recreate" } }), sets: [set("v1", 0)], pods: [{ metadata: { ownerReferences: [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "web-v1", uid: "v1", controller: true }] }, spec: { containers: [] } }], expected: {} },
    { name: "Recreate then starts all", d: deployment({ ...v2, strategy: { type: "Recreate" } }), sets: [set("v1", 0)], expected: {}, created: 4 },
    { name: "a Deployment that is deleted is left alone", d: deployment(v2, { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } }), sets: [set("v1", 4)], expected: {} },
  ];
  for (const { name, d, sets, pods = [], expected, created } of table) {
    test(name, () => {
      const plan = planDeployment(d, sets, (rs) => pods.filter((pod) => pod.metadata.ownerReferences?.[0]?.uid === rs.metadata.uid), now);
      expect({ sizes: Object.fromEntries(Object.entries(sizes(plan)).filter(([rs, size]) => size !== sets.find((s) => s.metadata.name === rs)!.spec.replicas)), created: plan.create?.spec.replicas }).toEqual({ sizes: expected, created });
    });
  }
});

test("a rollback keeps the history of revisions", () => {
  const plan = planDeployment(deployment(), [set("v1", 0, { revision: 1 }), set("v2", 4, { revision: 2, age: 50 })], none, now);
  const back = plan.update.find(({ replicaSet }) => replicaSet.metadata.name === "web-v1")!.replicaSet;
  expect(back.metadata.annotations).toMatchObject({ "deployment.kubernetes.io/revision": "3", "deployment.kubernetes.io/revision-history": "1" });
  expect(plan.revision).toBe("3");
});

test("the history of revisions is kept to 2,000 characters", () => {
  const history = Array.from({ length: 400 }, (_, i) => 1000 + i).join(",");
  const back = planDeployment(deployment(), [set("v1", 0, { revision: 2000, history }), set("v2", 4, { revision: 2001, age: 50 })], none, now).update[0]!.replicaSet;
  const kept = back.metadata.annotations!["deployment.kubernetes.io/revision-history"]!;
  expect({ longest: kept.length <= 2000, first: kept.slice(0, 4), last: kept.slice(-9) }).toEqual({ longest: true, first: "1001", last: "1399,2000" });
});

describe("the annotation that asks for a rollback", () => {
  const asking = (revision: string, rest: Partial<Deployment["spec"]> = {}): Deployment =>
    deployment(rest, { metadata: { name: "web", annotations: { "deprecated.deployment.rollback.to": revision, "deployment.kubernetes.io/revision": "3", "kubernetes.io/change-cause": "now" } } });
  const first = set("v0", 0, { revision: 1 });
  first.metadata.annotations!["kubernetes.io/change-cause"] = "then";
  const sets = [first, set("v0b", 0, { revision: 2 }), set("v1", 4, { revision: 3 })];
  const table: { name: string; d: Deployment; image?: string; reason?: string; message?: string }[] = [
    { name: "for a revision", d: asking("1"), image: "v0", reason: "DeploymentRollback", message: 'Rolled back deployment "web" to revision 1' },
    { name: "for the last but one", d: asking("0"), image: "v0b", reason: "DeploymentRollback", message: 'Rolled back deployment "web" to revision 2' },
    { name: "for the present one", d: asking("3"), image: "v1", reason: "DeploymentRollbackTemplateUnchanged", message: 'The rollback revision contains the same template as current deployment "web"' },
    { name: "for one that is unknown", d: asking("7"), image: "v1", reason: "DeploymentRollbackRevisionNotFound", message: "Unable to find the revision to rollback to." },
    { name: "for no number", d: asking("last") },
    { name: "of one that is paused", d: asking("1", { paused: true }) },
  ];
  for (const { name, d, image, reason, message } of table) {
    test(name, () => {
      const rollback = planRollback(d, sets);
      expect(rollback && { image: rollback.deployment.spec.template.spec!.containers[0]!.image, reason: rollback.event.reason, message: rollback.event.message }).toEqual(image ? { image, reason: reason!, message: message! } : undefined);
      expect(rollback?.deployment.metadata.annotations?.["deprecated.deployment.rollback.to"]).toBeUndefined();
    });
  }
  test("has the annotations of the revision come back, and no hash in the template", () => {
    const { deployment: restored } = planRollback(asking("1"), sets)!;
    expect(restored.metadata.annotations).toEqual({ "deployment.kubernetes.io/revision": "3", "kubernetes.io/change-cause": "then" });
    expect(restored.spec.template.metadata!.labels).toEqual({ app: "web" });
  });
});

test("revisions are 64-bit integers", () => {
  const next = (revision: string): string | undefined => planDeployment(deployment(), [set("v2", 4, { revision })], none, now).create?.metadata.annotations?.["deployment.kubernetes.io/revision"];
  expect(next("3546343826724305832")).toBe("3546343826724305833");
  expect(next("9223372036854775808")).toBe("1");
});

test("a finished rollout says so and forgets old revisions", () => {
  const old = [1, 2, 3].map((n) => set(`v${n}`, 0, { revision: n, age: 1000 - n }));
  const d = deployment({ template: template("v4"), revisionHistoryLimit: 1 });
  const plan = planDeployment(d, [...old, set("v4", 4, { revision: 4 })], none, now);
  expect(plan.delete).toEqual(["web-v1", "web-v2"]);
  expect(condition(plan.status.conditions, "Progressing")).toMatchObject({ status: "True", reason: "NewReplicaSetAvailable", message: 'ReplicaSet "web-v4" has successfully progressed.' });
  expect(plan.requeueAfter).toBeUndefined();
  const again = planDeployment({ ...d, metadata: { ...d.metadata, annotations: { "deployment.kubernetes.io/revision": "4" } }, status: plan.status }, [set("v4", 4, { revision: 4 })], none, now + 60_000);
  expect({ ...again, status: 0 }).toEqual({ update: [], delete: [], status: 0 });
  expect(again.status).toEqual(plan.status);
});

test("a rollout that stands still passes its deadline", () => {
  const sets = [set("v1", 4, { available: 1 })];
  const started = planDeployment(deployment(), sets, none, now);
  const d = deployment({}, { status: started.status });
  expect(condition(planDeployment(d, sets, none, now + 599_000).status.conditions, "Progressing")?.status).toBe("True");
  const late = planDeployment(d, sets, none, now + 602_000);
  expect(condition(late.status.conditions, "Progressing")).toMatchObject({ status: "False", reason: "ProgressDeadlineExceeded", message: 'ReplicaSet "web-v1" has timed out progressing.' });
  expect(late.requeueAfter).toBeUndefined();
});

test("pausing stops the clock, resuming starts it", () => {
  const paused = planDeployment(deployment({ paused: true }), [set("v1", 4, { available: 1 })], none, now);
  expect(condition(paused.status.conditions, "Progressing")).toMatchObject({ status: "Unknown", reason: "DeploymentPaused" });
  const resumed = planDeployment(deployment({}, { status: paused.status }), [set("v1", 4, { available: 1 })], none, now);
  expect(condition(resumed.status.conditions, "Progressing")?.reason).not.toBe("DeploymentPaused");
});

describe("a whole rollout keeps its promises", () => {
  for (const [replicas, maxSurge, maxUnavailable] of [[1, 1, 0], [4, 1, 1], [10, "25%", "25%"], [3, 0, 0], [5, 0, 2], [7, 3, 0]] as const) {
    test(`${replicas} replicas, surge ${maxSurge}, unavailable ${maxUnavailable}`, () => {
      let d = deployment({ replicas, template: template("v2"), strategy: { rollingUpdate: { maxSurge, maxUnavailable } } });
      const { surge, unavailable } = fenceposts(maxSurge, maxUnavailable, replicas);
      let sets = [set("v1", replicas, { desired: replicas, max: replicas + surge })];
      for (let step = 0; ; step++) {
        expect(step).toBeLessThan(60);
        const plan = planDeployment(d, sets, none, now + step * 1000);
        if (plan.create) sets.push({ ...plan.create, metadata: { ...plan.create.metadata, uid: "new", creationTimestamp: new Date(now).toISOString() }, status: { replicas: 0 } });
        sets = sets.map((rs) => plan.update.find((u) => u.replicaSet.metadata.name === rs.metadata.name)?.replicaSet ?? rs);
        d = { ...d, status: plan.status };
        const spec = sets.reduce((sum, rs) => sum + rs.spec.replicas!, 0);
        expect(spec).toBeLessThanOrEqual(replicas + surge);
        // Pods that are taken away go at once; of those that come, one becomes available a step.
        for (const rs of sets) rs.status = { replicas: rs.spec.replicas!, availableReplicas: Math.min(rs.spec.replicas!, rs.status?.availableReplicas ?? 0), observedGeneration: 1 };
        const available = sets.reduce((sum, rs) => sum + rs.status!.availableReplicas!, 0);
        expect(available).toBeGreaterThanOrEqual(replicas - unavailable);
        const starting = sets.find((rs) => rs.status!.availableReplicas! < rs.spec.replicas!);
        if (starting) starting.status!.availableReplicas!++;
        if (condition(plan.status.conditions, "Progressing")?.reason === "NewReplicaSetAvailable" && plan.update.length === 0) break;
      }
      expect(sets.map((rs) => rs.spec.replicas!)).toEqual([0, replicas]);
    });
  }
});

test("templates: the hash label doesn't count, everything else does", () => {
  expect(sameTemplate(template("v1"), template("v1", { "pod-template-hash": "x" }))).toBe(true);
  expect(sameTemplate(template("v1"), template("v2"))).toBe(false);
  expect(sameTemplate(template("v1"), { ...template("v1"), metadata: { labels: { app: "web" }, annotations: {} } })).toBe(true);
  expect(sameTemplate(template("v1"), { ...template("v1"), spec: { containers: [{ name: "c", image: "v1", env: [] }] } })).toBe(true);
});

test("hashes are stable, whatever the order of fields, and change with collisions", () => {
  const reordered = { spec: { containers: [{ image: "v1", name: "c" }] }, metadata: { labels: { app: "web" } } };
  expect(templateHash(reordered)).toBe(templateHash(template("v1")));
  expect(templateHash(template("v1"))).toBe("2n72m975rp");
  expect(templateHash(template("v1"), 1)).not.toBe(templateHash(template("v1")));
  expect(templateHash(template("v1"))).toMatch(/^[bcdfghjklmnpqrstvwxz2456789]{10}$/);
});
