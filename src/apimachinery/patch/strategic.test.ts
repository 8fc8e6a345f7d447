import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseYaml } from "../schema/yaml.ts";
import { StatusError } from "../status.ts";
import { kubectlMinor } from "../../../test/support/kubectl-version.ts";
import { applyStrategicMergePatch } from "./strategic.ts";

const deployment = parseYaml(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web, tier: front}, finalizers: [a.example/one, b.example/two]}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  template:
    metadata: {labels: {app: web}}
    spec:
      nodeSelector: {disk: ssd}
      tolerations: [{key: a, operator: Exists}]
      imagePullSecrets: [{name: one}]
      containers:
      - name: web
        image: nginx:1
        args: [a, b]
        env: [{name: A, value: "1"}, {name: B, value: "2"}, {name: C, value: "3"}]
        ports: [{containerPort: 80, name: http, protocol: TCP}, {containerPort: 443, protocol: TCP}]
        volumeMounts: [{mountPath: /data, name: data}]
        resources: {limits: {cpu: 500m, memory: 1Gi}}
      - {name: side, image: busybox}
      - {name: third, image: busybox}
      volumes:
      - {name: data, emptyDir: {}}
      - {name: conf, configMap: {name: conf}}
`).value;

const service = parseYaml(`
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, name: http, targetPort: 8080, protocol: TCP}, {port: 443, name: https, protocol: TCP}]
  externalIPs: [192.0.2.1]
`).value;

const serviceAccount = parseYaml(`
apiVersion: v1
kind: ServiceAccount
metadata: {name: builder, finalizers: [a.example/one, b.example/two, c.example/three]}
secrets: [{name: x}, {name: y}]
`).value;

const budget = parseYaml(`
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: b}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
`).value;

const schemas: Record<string, string> = {
  Deployment: "io.k8s.api.apps.v1.Deployment", Service: "io.k8s.api.core.v1.Service", ServiceAccount: "io.k8s.api.core.v1.ServiceAccount",
  PodDisruptionBudget: "io.k8s.api.policy.v1.PodDisruptionBudget",
};

const podSpec = (spec: unknown) => ({ spec: { template: { spec } } });

/** Each is applied by kubectl, which runs Go's strategic merge, and must come out the same here. Older ones than `since` lack the kind, or a fix. */
const cases: [name: string, target: unknown, patch: unknown, since?: number][] = [
  ["scalars and new fields", deployment, { spec: { replicas: 5, paused: true } }],
  ["null deletes", deployment, { metadata: { labels: { tier: null, missing: null, added: "x" } }, spec: { replicas: null } }],
  ["containers merge by name", deployment, podSpec({ containers: [{ name: "side", image: "busybox:2" }] })],
  ["a new container goes first", deployment, podSpec({ containers: [{ name: "new", image: "x" }] })],
  ["new beside known", deployment, podSpec({ containers: [{ name: "third", image: "z" }, { name: "new", image: "x" }, { name: "web", image: "y" }] })],
  ["a container deleted", deployment, podSpec({ containers: [{ name: "side", $patch: "delete" }] })],
  ["containers replaced", deployment, podSpec({ containers: [{ $patch: "replace" }, { name: "only", image: "x" }] })],
  ["lists without strategy are replaced", deployment, podSpec({ containers: [{ name: "web", args: ["c"] }], tolerations: [{ key: "b", operator: "Exists" }] })],
  ["env: change, add, delete", deployment, podSpec({ containers: [{ name: "web", env: [{ name: "B", value: "9" }, { name: "D", value: "4" }, { name: "A", $patch: "delete" }] }] })],
  ["env by valueFrom", deployment, podSpec({ containers: [{ name: "web", env: [{ name: "B", value: null, valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }] }] })],
  ["ports merge by containerPort", deployment, podSpec({ containers: [{ name: "web", ports: [{ containerPort: 80, name: "web" }, { containerPort: 81 }] }] })],
  ["mounts merge by mountPath", deployment, podSpec({ containers: [{ name: "web", volumeMounts: [{ mountPath: "/data", readOnly: true, name: "data" }, { mountPath: "/conf", name: "conf" }] }] })],
  ["resources", deployment, podSpec({ containers: [{ name: "web", resources: { limits: { cpu: "1", memory: null }, requests: { cpu: "100m" } } }] })],
  ["volumes retain keys", deployment, podSpec({ volumes: [{ name: "data", $retainKeys: ["name", "hostPath"], hostPath: { path: "/x" } }] })],
  ["volumes with the old source nulled", deployment, podSpec({ volumes: [{ name: "data", emptyDir: null, hostPath: { path: "/x" } }] })],
  ["strategy retains keys", deployment, { spec: { strategy: { $retainKeys: ["type"], type: "Recreate" } } }],
  ["a map replaced", deployment, { spec: { strategy: { $patch: "replace", type: "Recreate" } } }],
  ["a map emptied", deployment, podSpec({ nodeSelector: { $patch: "delete" } })],
  ["element order of containers", deployment, podSpec({ "$setElementOrder/containers": [{ name: "third" }, { name: "web" }, { name: "side" }], containers: [{ name: "web", image: "y" }] })],
  ["element order alone", deployment, podSpec({ "$setElementOrder/containers": [{ name: "side" }, { name: "web" }, { name: "third" }] })],
  ["element order with what only the server has", deployment, podSpec({ "$setElementOrder/containers": [{ name: "third" }, { name: "web" }] })],
  ["element order, added and deleted", deployment, podSpec({
    "$setElementOrder/containers": [{ name: "web" }, { name: "new" }, { name: "third" }], containers: [{ name: "new", image: "n" }, { name: "side", $patch: "delete" }],
  })],
  ["nested element order", deployment, podSpec({
    "$setElementOrder/containers": [{ name: "web" }, { name: "side" }, { name: "third" }],
    containers: [{ name: "web", "$setElementOrder/env": [{ name: "C" }, { name: "E" }, { name: "A" }], env: [{ name: "E", value: "5" }, { name: "B", $patch: "delete" }] }],
  })],
  ["element order of a new list", deployment, podSpec({ "$setElementOrder/hostAliases": [{ ip: "192.0.2.7" }], hostAliases: [{ ip: "192.0.2.7", hostnames: ["a"] }] })],
  ["directives in what is new", deployment, podSpec({ initContainers: [{ name: "i", image: "x", env: [{ name: "A", value: "1" }, { name: "B", $patch: "delete" }] }] }), 27],
  ["nulls in what is new", deployment, { spec: { template: { spec: { securityContext: { runAsUser: null, runAsGroup: 5 }, affinity: null } } } }],
  ["nulls in a new element", deployment, podSpec({ volumes: [{ name: "n", emptyDir: null, hostPath: { path: "/x", type: null } }] })],
  ["finalizers join", deployment, { metadata: { finalizers: ["c.example/three", "a.example/one"] } }],
  ["finalizers in order", deployment, { metadata: { "$setElementOrder/finalizers": ["b.example/two", "c.example/three", "a.example/one"], finalizers: ["c.example/three"] } }],
  ["a finalizer deleted", serviceAccount, { metadata: { "$deleteFromPrimitiveList/finalizers": ["b.example/two"], "$setElementOrder/finalizers": ["a.example/one", "c.example/three"] } }],
  ["finalizers: one deleted, one added", serviceAccount, {
    metadata: { "$deleteFromPrimitiveList/finalizers": ["a.example/one"], "$setElementOrder/finalizers": ["d.example/four", "b.example/two", "c.example/three"], finalizers: ["d.example/four"] },
  }],
  ["secrets merge by name", serviceAccount, { secrets: [{ name: "z" }, { name: "x", $patch: "delete" }] }],
  ["service ports merge by port", service, { spec: { ports: [{ port: 443, targetPort: 8443 }, { port: 8080, name: "alt" }] } }],
  ["service ports reordered", service, { spec: { "$setElementOrder/ports": [{ port: 443 }, { port: 80 }], ports: [{ port: 443, targetPort: 1 }] } }],
  ["service ports replaced by delete and add", service, { spec: { ports: [{ port: 80, $patch: "delete" }, { port: 81, name: "http" }] } }],
  ["externalIPs are atomic", service, { spec: { externalIPs: ["192.0.2.2"], selector: { app: "other", v: "2" } } }],
  ["a struct whose strategy is replace", budget, { spec: { selector: { matchLabels: { x: "y" } } } }, 21],
  ["nothing", service, {}],
];

const minor = kubectlMinor();

/** kubectl's answer, without the zero values that its printer adds. */
function oracle(target: unknown, patch: unknown): { result?: unknown; failed: boolean } {
  const directory = mkdtempSync(join(tmpdir(), "strategic-"));
  try {
    const file = join(directory, "target.json");
    writeFileSync(file, JSON.stringify(target));
    const run = Bun.spawnSync(["kubectl", "patch", "--local", "-f", file, "--type", "strategic", "-p", JSON.stringify(patch), "-o", "json"], { env: { ...process.env, KUBECONFIG: "/dev/null" } });
    return run.exitCode === 0 ? { result: JSON.parse(run.stdout.toString()) as unknown, failed: false } : { failed: true };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Go prints structs that are empty, and nulls; neither distinguishes a merge. */
function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, withoutEmpty(inner)] as const);
  return Object.fromEntries(entries.filter(([, inner]) => inner !== null && !(typeof inner === "object" && Object.keys(inner as object).length === 0)));
}

for (const [name, target, patch, since = 0] of cases) {
  if (minor < since) continue;
  test(`as kubectl does: ${name}`, () => {
    const before = structuredClone([target, patch]);
    const { result, failed } = oracle(target, patch);
    expect(failed).toBe(false);
    const merged = applyStrategicMergePatch(schemas[(target as { kind: string }).kind]!, target, patch);
    expect(withoutEmpty(merged)).toEqual(withoutEmpty(result));
    expect([target, patch]).toEqual(before as [unknown, unknown]);
  });
}

const refused: [name: string, patch: unknown, code: number][] = [
  ["no merge key", podSpec({ containers: [{ image: "x" }] }), 500],
  ["an unknown directive", podSpec({ containers: [{ name: "web", $patch: "explode" }] }), 500],
  ["an unknown directive on a map", { spec: { $patch: "explode" } }, 500],
  ["retainKeys that omit what is set", { spec: { strategy: { $retainKeys: ["type"], type: "Recreate", rollingUpdate: { maxSurge: 2 } } } }, 400],
  ["an order that the patch doesn't follow", podSpec({ "$setElementOrder/containers": [{ name: "web" }, { name: "side" }], containers: [{ name: "side", image: "a" }, { name: "web", image: "b" }] }), 500],
];

for (const [name, patch, code] of refused) {
  test(`refuses ${name}`, () => {
    let thrown: unknown;
    try {
      applyStrategicMergePatch(schemas.Deployment!, deployment, patch);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(StatusError);
    expect((thrown as StatusError).code).toBe(code);
    expect(oracle(deployment, patch).failed).toBe(true);
  });
}

test("no directive stays in what is new, where Go leaves an order for decoding to drop", () => {
  const patch = podSpec({ initContainers: [{ name: "i", image: "x", "$setElementOrder/env": [{ name: "A" }], env: [{ name: "A", value: "1" }] }] });
  const merged = applyStrategicMergePatch<{ spec: { template: { spec: { initContainers: unknown } } } }>(schemas.Deployment!, deployment, patch);
  expect(merged.spec.template.spec.initContainers).toEqual([{ name: "i", image: "x", env: [{ name: "A", value: "1" }] }]);
});

test("a patch can't reach a prototype", () => {
  applyStrategicMergePatch(schemas.Service!, service, JSON.parse('{"metadata": {"labels": {"__proto__": {"polluted": "1"}}}, "__proto__": {"polluted": "1"}}'));
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
});
