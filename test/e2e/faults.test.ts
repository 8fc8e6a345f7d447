import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { type HollowProcess, startHollow } from "../support/hollow-process.ts";
import type { KubeJson } from "../support/kubectl.ts";
import { TestSkiff } from "../support/skiff.ts";

setDefaultTimeout(300_000);

/** One server, killed again and again while controllers and the scheduler work on hollow nodes, which live on. */
let skiff: TestSkiff, hollow: HollowProcess;
beforeAll(async () => {
  skiff = new TestSkiff({ flags: ["--disable-agent"] });
  await skiff.start({ node: false });
  hollow = await startHollow(skiff, 4, "--cpu", "4", "--start-delay", "100ms");
});
afterAll(async () => {
  await hollow?.stop();
  skiff?.dispose();
});

/** A fixed sequence for each seed: a failure can be repeated, as far as timing lets it. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state / 2 ** 31;
  };
}

/** Kills and restarts the server `times` times, at random moments up to `upTo` milliseconds after it answers, with `work` before each kill. */
async function killing(times: number, upTo: number, seed: number, work: (round: number) => Promise<unknown>): Promise<void> {
  const random = randomOf(seed);
  for (let round = 0; round < times; round++) {
    await work(round);
    await Bun.sleep(random() * upTo);
    await skiff.kill9();
    await skiff.start({ node: false });
  }
}

const podsOf = async (app: string): Promise<KubeJson[]> => skiff.kubectl.items("pods", "-l", `app=${app}`);
const podTemplate = (app: string, more: object = {}): object => ({ metadata: { labels: { app } }, spec: { terminationGracePeriodSeconds: 1, containers: [{ name: "main", image: "busybox", ...more }] } });
const isReady = ({ status, metadata }: KubeJson): boolean => !metadata.deletionTimestamp && status.conditions?.some(({ type, status: is }: KubeJson) => type === "Ready" && is === "True");

describe("kill -9 of the server at random moments", () => {
  test("during rollouts: exactly the pods that are wanted, of the newest template, and a history without gaps", async () => {
    const web = (version: number): object => ({
      apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "web" },
      spec: { replicas: 40, selector: { matchLabels: { app: "web" } }, template: podTemplate("web", { env: [{ name: "VERSION", value: String(version) }] }) },
    });
    await killing(5, 800, 1, (round) => skiff.kubectl.apply(web(round)));
    await skiff.kubectl("rollout", "status", "deployment/web", "--timeout=120s");
    await eventually(async () => expect(await podsOf("web")).toHaveLength(40), { timeout: 60_000, interval: 200 });
    const pods = await podsOf("web");
    expect(pods.filter(isReady)).toHaveLength(40);
    expect(new Set(pods.map(({ spec }) => spec.containers[0].env[0].value))).toEqual(new Set(["4"]));
    const sets = await skiff.kubectl.items("replicasets", "-l", "app=web");
    // A template that another has replaced before any controller saw it is in no ReplicaSet.
    expect(sets.map(({ metadata }) => metadata.annotations["deployment.kubernetes.io/revision"]).toSorted()).toEqual(["1", "2", "3", "4", "5"].slice(0, sets.length));
    expect(new Set(sets.map(({ spec }) => spec.template.spec.containers[0].env[0].value)).size).toBe(sets.length);
    expect(sets.filter(({ spec }) => spec.replicas !== 0)).toHaveLength(1);
    await skiff.kubectl("delete", "deployment", "web", "--wait=true");
    await eventually(async () => expect(await podsOf("web")).toEqual([]), { timeout: 60_000, interval: 200 });
  });

  test("during a StatefulSet's: every ordinal once, each with its own claim", async () => {
    const set = (version: number): object => ({
      apiVersion: "apps/v1", kind: "StatefulSet", metadata: { name: "db" },
      spec: {
        replicas: 6, serviceName: "db", podManagementPolicy: "Parallel", selector: { matchLabels: { app: "db" } }, template: podTemplate("db", { env: [{ name: "VERSION", value: String(version) }] }),
        volumeClaimTemplates: [{ metadata: { name: "data" }, spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } } }],
      },
    });
    await killing(4, 700, 2, (round) => skiff.kubectl.apply(set(round)));
    await skiff.kubectl("rollout", "status", "statefulset/db", "--timeout=120s");
    const pods = await podsOf("db");
    expect(pods.map(({ metadata }) => metadata.name).toSorted()).toEqual(["db-0", "db-1", "db-2", "db-3", "db-4", "db-5"]);
    expect(new Set(pods.map(({ spec }) => spec.containers[0].env[0].value))).toEqual(new Set(["3"]));
    const claims = await skiff.kubectl.items("persistentvolumeclaims");
    expect(claims.map(({ metadata, status }) => `${metadata.name} ${status.phase}`).toSorted()).toEqual(Array.from({ length: 6 }, (_, i) => `data-db-${i} Bound`));
    expect(await skiff.kubectl.items("persistentvolumes")).toHaveLength(6);
    await skiff.kubectl("delete", "statefulset", "db");
  });

  test("during Jobs: every index is done once, failures are counted once, and no pod runs beyond the policy", async () => {
    const job = (name: string, spec: object): object => ({ apiVersion: "batch/v1", kind: "Job", metadata: { name }, spec });
    const command = (script: string): object => ({ command: ["sh", "-c", script] });
    const template = (app: string, script: string): object => {
      const { metadata, spec } = podTemplate(app, command(script)) as KubeJson;
      return { metadata, spec: { ...spec, restartPolicy: "Never" } };
    };
    await killing(6, 900, 3, (round) => (round > 0 ? Promise.resolve() : skiff.kubectl.apply(
      job("indexed", { completions: 40, parallelism: 8, completionMode: "Indexed", template: template("indexed", "sleep 0.2") }),
      job("plain", { completions: 30, parallelism: 6, template: template("plain", "sleep 0.3") }),
      job("failing", { completions: 2, parallelism: 2, backoffLimit: 2, template: template("failing", "exit 1") }),
      job("per-index", { completions: 5, parallelism: 5, completionMode: "Indexed", backoffLimitPerIndex: 0, template: template("per-index", "exit 1") }),
    )));
    for (const [name, condition] of [["indexed", "Complete"], ["plain", "Complete"], ["failing", "Failed"], ["per-index", "Failed"]]) await skiff.kubectl("wait", `--for=condition=${condition}`, `job/${name}`, "--timeout=120s");

    const indexed = await podsOf("indexed");
    expect(indexed.map(({ metadata }) => Number(metadata.annotations["batch.kubernetes.io/job-completion-index"])).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i));
    expect((await skiff.kubectl.get("job", "indexed")).status).toMatchObject({ succeeded: 40, completedIndexes: "0-39", ready: 0 });
    const plain = await podsOf("plain");
    expect(plain.filter(({ status }) => status.phase === "Succeeded")).toHaveLength(30);
    expect(plain).toHaveLength(30);
    expect((await skiff.kubectl.get("job", "plain")).status).toMatchObject({ succeeded: 30 });
    // backoffLimit 2: the third failure is the last; a pod that ran beside it was deleted, and is counted too.
    const failing = await podsOf("failing");
    const { failed } = (await skiff.kubectl.get("job", "failing")).status;
    expect([3, 4]).toContain(failed);
    expect(failing.length).toBeGreaterThanOrEqual(3);
    expect(failing.length).toBeLessThanOrEqual(failed);
    const perIndex = await podsOf("per-index");
    expect(perIndex).toHaveLength(5);
    expect((await skiff.kubectl.get("job", "per-index")).status).toMatchObject({ failed: 5, failedIndexes: "0-4" });
    for (const { metadata } of [...indexed, ...plain, ...failing, ...perIndex]) expect(metadata.finalizers ?? []).toEqual([]);
    await skiff.kubectl("delete", "jobs", "--all");
    await eventually(async () => expect([...await podsOf("indexed"), ...await podsOf("plain"), ...await podsOf("failing"), ...await podsOf("per-index")]).toEqual([]), { timeout: 60_000, interval: 200 });
  });

  test("during preemption: who is more important runs, nobody goes without need, and no node has more than it can hold", async () => {
    const importance = (name: string, value: number): object => ({ apiVersion: "scheduling.k8s.io/v1", kind: "PriorityClass", metadata: { name }, value });
    const cpu = (amount: string): object => ({ resources: { requests: { cpu: amount } } });
    const low = (i: number): object => {
      const { metadata, spec } = podTemplate("low", cpu("400m")) as KubeJson;
      return { apiVersion: "v1", kind: "Pod", metadata: { ...metadata, name: `low-${i}` }, spec: { ...spec, priorityClassName: "low" } };
    };
    await skiff.kubectl.apply(importance("low", 1), importance("high", 1000), ...Array.from({ length: 40 }, (_, i) => low(i)));
    await eventually(async () => expect((await podsOf("low")).filter(isReady)).toHaveLength(40), { timeout: 60_000, interval: 200 });
    const { metadata, spec } = podTemplate("high", cpu("1")) as KubeJson;
    const high = { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "high" }, spec: { replicas: 8, selector: { matchLabels: { app: "high" } }, template: { metadata, spec: { ...spec, priorityClassName: "high" } } } };
    await killing(5, 600, 4, (round) => (round > 0 ? Promise.resolve() : skiff.kubectl.apply(high)));
    await skiff.kubectl("rollout", "status", "deployment/high", "--timeout=120s");
    await eventually(async () => expect([...await podsOf("low"), ...await podsOf("high")].filter((pod) => !isReady(pod))).toEqual([]), { timeout: 60_000, interval: 200 });
    const lows = await podsOf("low"), highs = await podsOf("high");
    expect(highs).toHaveLength(8);
    // Each of the eight needs the room of three at most.
    expect(lows.length).toBeGreaterThanOrEqual(40 - 8 * 3);
    const used: Record<string, number> = {};
    for (const { spec: { nodeName } } of lows) used[nodeName] = (used[nodeName] ?? 0) + 400;
    for (const { spec: { nodeName } } of highs) used[nodeName] = (used[nodeName] ?? 0) + 1000;
    expect(Object.values(used).filter((millis) => millis > 4000)).toEqual([]);
  });
});
