import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { builtins, pods, serviceaccounts } from "../../apis/builtins.ts";
import { defineResource } from "../../apimachinery/resource.ts";
import { StatusError } from "../../apimachinery/status.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import type { PodDisruptionBudget } from "../../apis/generated/policy/v1.ts";
import { startRegistry, type RegistryFixture } from "../testing/fixture.ts";

const budgets = defineResource<PodDisruptionBudget>({ group: "policy", version: "v1", kind: "PodDisruptionBudget", resource: "poddisruptionbudgets", scope: "Namespaced", schema: "io.k8s.api.policy.v1.PodDisruptionBudget" });
let fixture: RegistryFixture;
let count = 0;

beforeAll(async () => {
  fixture = await startRegistry({ cards: [...builtins.filter(({ resource }) => resource !== budgets.resource), budgets] });
  await fixture.client.create(serviceaccounts, { metadata: { name: "default", namespace: "default" } });
});
afterAll(() => fixture[Symbol.asyncDispose]());

/** A pod with a label of its own, as its kubelet reports it, and budgets for it with this status. */
async function start({ phase = "Running", ready = true, spec = {}, statuses = [{}] }: { phase?: string; ready?: boolean; spec?: object; statuses?: object[] } = {}): Promise<string> {
  const { client } = fixture;
  const name = `p${count++}`;
  const pod = await client.create<Pod>(pods, { metadata: { name, namespace: "default", labels: { app: name } }, spec: { containers: [{ name: "c", image: "i" }] } as Pod["spec"] });
  await client.update<Pod>(pods, { ...structuredClone(pod) as Pod, status: { phase, conditions: [{ type: "Ready", status: ready ? "True" : "False" }] } as Pod["status"] }, { subresource: "status" });
  for (const [i, status] of statuses.entries()) {
    const budget: PodDisruptionBudget = {
      metadata: { name: `${name}-${i}`, namespace: "default" }, spec: { minAvailable: 1, selector: { matchLabels: { app: name } }, ...spec },
      status: { observedGeneration: 1, disruptionsAllowed: 0, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1, ...status },
    };
    await client.create(budgets, budget);
  }
  return name;
}

async function evict(name: string, more: object = {}, options = {}): Promise<{ code: number; message: string; causes?: readonly { message?: string }[] }> {
  try {
    await fixture.client.createSubresource(pods, { namespace: "default", name }, "eviction", { metadata: { name, namespace: "default" }, ...more }, options);
    return { code: 201, message: "" };
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    return { code: error.code, message: error.message, causes: error.status.details?.causes };
  }
}
const budgetOf = (name: string) => fixture.client.get(budgets, { namespace: "default", name: `${name}-0` });
const podOf = (name: string) => fixture.client.get(pods, { namespace: "default", name });

describe("an eviction", () => {
  test("without a budget deletes the pod and says why", async () => {
    const name = await start({ statuses: [] });
    expect(await evict(name)).toEqual({ code: 201, message: "" });
    await expect(podOf(name)).rejects.toThrow("not found");
  });

  test("uses up the budget, and the next must wait", async () => {
    const name = await start({ statuses: [{ disruptionsAllowed: 1 }] });
    expect((await evict(name, {}, { dryRun: true })).code).toBe(201);
    expect((await evict(name, { deleteOptions: { dryRun: ["All"] } })).code).toBe(201);
    expect((await budgetOf(name)).status?.disruptionsAllowed).toBe(1);
    expect((await evict(name)).code).toBe(201);
    const { status } = await budgetOf(name);
    expect(status).toMatchObject({ disruptionsAllowed: 0, disruptedPods: { [name]: expect.any(String) }, conditions: [{ type: "DisruptionAllowed", status: "False", reason: "InsufficientPods" }] });
  });

  test("that a budget does not allow is refused with the cause", async () => {
    const name = await start();
    expect(await evict(name)).toEqual({
      code: 429, message: "Cannot evict pod as it would violate the pod's disruption budget.",
      causes: [{ reason: "DisruptionBudget", message: `The disruption budget ${name}-0 needs 1 healthy pods and has 1 currently` }] as never,
    });
    expect((await podOf(name)).metadata.deletionTimestamp).toBeUndefined();
  });

  test.each([
    ["nobody has looked at it", { observedGeneration: 0 }, "is still being processed by the server."],
    ["its sync failed", { conditions: [{ type: "DisruptionAllowed", status: "False", reason: "SyncFailed", message: "no controller", lastTransitionTime: "2026-01-01T00:00:00Z" }] }, "does not allow evicting pods currently because it failed sync: no controller"],
    ["there would be enough", { currentHealthy: 5 }, "does not allow evicting pods currently"],
  ])("is refused while %s", async (_, status, text) => {
    const { code, causes } = await evict(await start({ statuses: [status] }));
    expect(code).toBe(429);
    expect(causes?.[0]?.message).toContain(text);
  });

  test.each([
    ["has not started", { phase: "Pending" }], ["has ended", { phase: "Succeeded" }],
    ["is not ready while enough others are", { ready: false }],
    ["is not ready and may always go", { ready: false, spec: { unhealthyPodEvictionPolicy: "AlwaysAllow" }, statuses: [{ currentHealthy: 0 }] }],
  ])("of a pod that %s needs no budget", async (_, how) => {
    expect((await evict(await start(how))).code).toBe(201);
  });

  test("of an unready pod counts when there are too few", async () => {
    expect((await evict(await start({ ready: false, statuses: [{ currentHealthy: 0 }] }))).code).toBe(429);
  });

  test("asks for one budget only, the pod's name, and the pod that was meant", async () => {
    const name = await start({ statuses: [{}, {}] });
    expect(await evict(name)).toMatchObject({ code: 500, message: "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support." });
    expect(await evict(name, { metadata: { name: "other" } })).toMatchObject({ code: 400, message: "name in URL does not match name in Eviction object" });
    const other = await start({ statuses: [] });
    expect(await evict(other, { deleteOptions: { dryRun: ["Some"] } }, { dryRun: true })).toMatchObject({ code: 500, message: "Non-matching dry-run options in request and content: [All] and [Some]" });
    expect(await evict(other, { deleteOptions: { ignoreStoreReadErrorWithClusterBreakingPotential: true } })).toMatchObject({ code: 422, message: expect.stringContaining("can not be set for pod eviction, try after removing the option") });
    expect(await evict(other, { deleteOptions: { preconditions: { uid: "x" } } })).toMatchObject({ code: 409, message: expect.stringContaining(`Operation cannot be fulfilled on Pod "${other}": the UID in the precondition (x) does not match`) });
  });

  test("of many pods at once stays within the budget", async () => {
    const names = [await start({ statuses: [] }), await start({ statuses: [] }), await start({ statuses: [] }), await start({ statuses: [] })];
    const { client } = fixture;
    await client.create<PodDisruptionBudget>(budgets, {
      metadata: { name: "shared", namespace: "default" }, spec: { minAvailable: 1, selector: { matchExpressions: [{ key: "app", operator: "In", values: names }] } },
      status: { observedGeneration: 1, disruptionsAllowed: 2, currentHealthy: 4, desiredHealthy: 2, expectedPods: 4 },
    });
    const codes = (await Promise.all(names.map((name) => evict(name)))).map(({ code }) => code).sort();
    expect(codes).toEqual([201, 201, 429, 429]);
  });
});
