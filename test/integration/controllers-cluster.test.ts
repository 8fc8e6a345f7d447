import { describe, expect, test } from "bun:test";
import type { KubeObject, OwnerReference } from "../../src/apimachinery/meta.ts";
import { clusterroles, configmaps, deployments, leases, namespaces, nodes, pods, replicasets, resourcequotas, secrets, serviceaccounts } from "../../src/apis/builtins.ts";
import type { ConfigMap, Namespace, Node, Pod, ResourceQuota } from "../../src/apis/generated/core/v1.ts";
import type { ClusterRole } from "../../src/apis/generated/rbac/v1.ts";
import { startControlPlane, type ControlPlane } from "../support/control-plane.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { quiet } from "../support/quiet.ts";

const ns = "default";

const configMap = (name: string, owners: KubeObject[] = [], extra: Partial<KubeObject["metadata"]> = {}): ConfigMap => ({
  apiVersion: "v1", kind: "ConfigMap",
  metadata: { name, namespace: ns, ownerReferences: owners.map((owner): OwnerReference => ({ apiVersion: owner.apiVersion!, kind: owner.kind!, name: owner.metadata.name!, uid: owner.metadata.uid!, blockOwnerDeletion: true })), ...extra },
});
const names = (plane: ControlPlane, namespace = ns): string[] => plane.list<ConfigMap>(configmaps, namespace).map((c) => c.metadata.name!).filter((name) => name !== "kube-root-ca.crt").toSorted();
const pod = (name: string, spec: Partial<Pod["spec"]> = {}, metadata: Partial<Pod["metadata"]> = {}): Pod => ({ apiVersion: "v1", kind: "Pod", metadata: { name, namespace: ns, ...metadata }, spec: { containers: [{ name: "c", image: "i" }], ...spec } });

describe("a namespace", () => {
  test("gets its service account and the root CA, again and again", async () => {
    await using plane = await startControlPlane();
    await plane.client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "team" }, spec: {} });
    const ca = { namespace: "team", name: "kube-root-ca.crt" };
    const complete = (): Promise<void> => eventually(async () => {
      expect(plane.list(serviceaccounts, "team").map((s) => s.metadata.name)).toEqual(["default"]);
      expect((await plane.client.get(configmaps, ca)).data).toEqual({ "ca.crt": "the ca" });
    });
    await complete();
    await plane.client.delete(serviceaccounts, { namespace: "team", name: "default" });
    await plane.client.patch(configmaps, ca, { type: "application/merge-patch+json", body: { data: { "ca.crt": "another" } } });
    await complete();
    await plane.client.delete(configmaps, ca);
    await complete();
  });

  test("is emptied, pods first, and then goes", async () => {
    await using plane = await startControlPlane();
    const namespace = "team";
    await plane.client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace }, spec: {} });
    await eventually(() => expect(plane.list(serviceaccounts, namespace).length).toBe(1));
    await plane.client.create(pods, pod("held", {}, { namespace, finalizers: ["example.com/hold"] }));
    await plane.client.create(secrets, { apiVersion: "v1", kind: "Secret", metadata: { name: "s", namespace } });
    await plane.client.delete(namespaces, { name: namespace });
    await eventually(() => {
      const conditions = plane.list<Namespace>(namespaces).find((n) => n.metadata.name === namespace)!.status!.conditions!;
      expect(conditions.find((c) => c.type === "NamespaceContentRemaining")).toMatchObject({ status: "True", reason: "SomeResourcesRemain" });
      expect(conditions.find((c) => c.type === "NamespaceFinalizersRemaining")!.message).toBe("Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances");
    });
    expect(plane.list(secrets, namespace).length).toBe(1);
    await plane.client.patch(pods, { namespace, name: "held" }, { type: "application/merge-patch+json", body: { metadata: { finalizers: null } } });
    await eventually(() => expect(plane.list(namespaces).map((n) => n.metadata.name)).not.toContain(namespace));
    expect(plane.list(secrets, namespace)).toEqual([]);
  });
});

describe("the garbage collector", () => {
  test("in the background: dependents go after the last owner", async () => {
    await using plane = await startControlPlane();
    const a = await plane.client.create(configmaps, configMap("a")) as ConfigMap;
    const b = await plane.client.create(configmaps, configMap("b")) as ConfigMap;
    await plane.client.create(configmaps, configMap("of-a", [a]));
    const ofBoth = await plane.client.create(configmaps, configMap("of-both", [a, b])) as ConfigMap;
    await plane.client.create(configmaps, configMap("nested", [ofBoth]));
    await plane.client.delete(configmaps, { namespace: ns, name: "a" }, { propagationPolicy: "Background" });
    await eventually(async () => {
      expect(names(plane)).toEqual(["b", "nested", "of-both"]);
      expect((await plane.client.get(configmaps, { namespace: ns, name: "of-both" })).metadata.ownerReferences?.map((o) => o.name)).toEqual(["b"]);
    });
    await plane.client.delete(configmaps, { namespace: ns, name: "b" });
    await eventually(() => expect(names(plane)).toEqual([]));
  });

  test("in the foreground: the owner waits for what blocks it", async () => {
    await using plane = await startControlPlane();
    const owner = await plane.client.create(configmaps, configMap("owner")) as ConfigMap;
    const child = await plane.client.create(configmaps, configMap("child", [owner])) as ConfigMap;
    await plane.client.create(configmaps, configMap("grandchild", [child], { finalizers: ["example.com/hold"] }));
    await plane.client.delete(configmaps, { namespace: ns, name: "owner" }, { propagationPolicy: "Foreground" });
    await eventually(async () => expect((await plane.client.get(configmaps, { namespace: ns, name: "grandchild" })).metadata.deletionTimestamp).toBeString());
    expect(names(plane)).toEqual(["child", "grandchild", "owner"]);
    await plane.client.patch(configmaps, { namespace: ns, name: "grandchild" }, { type: "application/merge-patch+json", body: { metadata: { finalizers: null } } });
    await eventually(() => expect(names(plane)).toEqual([]));
  });

  test("in the foreground: a circle is broken", async () => {
    await using plane = await startControlPlane();
    const a = await plane.client.create(configmaps, configMap("a")) as ConfigMap;
    const b = await plane.client.create(configmaps, configMap("b", [a])) as ConfigMap;
    const { ownerReferences } = configMap("", [b]).metadata;
    await plane.client.patch(configmaps, { namespace: ns, name: "a" }, { type: "application/merge-patch+json", body: { metadata: { ownerReferences } } });
    await plane.client.delete(configmaps, { namespace: ns, name: "a" }, { propagationPolicy: "Foreground" });
    await eventually(() => expect(names(plane)).toEqual([]));
  });

  test("orphans: dependents stay, without the owner", async () => {
    await using plane = await startControlPlane();
    const owner = await plane.client.create(configmaps, configMap("owner")) as ConfigMap;
    await plane.client.create(configmaps, configMap("child", [owner]));
    await plane.client.delete(configmaps, { namespace: ns, name: "owner" }, { propagationPolicy: "Orphan" });
    await eventually(async () => {
      expect(names(plane)).toEqual(["child"]);
      expect((await plane.client.get(configmaps, { namespace: ns, name: "child" })).metadata.ownerReferences ?? []).toEqual([]);
    });
  });

  test("an owner of another uid, or in another namespace, is no owner; one of an unknown kind might be", async () => {
    await using plane = await startControlPlane();
    const owner = await plane.client.create(configmaps, configMap("owner")) as ConfigMap;
    const elsewhere = await plane.client.create(configmaps, configMap("elsewhere", [], { namespace: "kube-system" })) as ConfigMap;
    await plane.client.create(configmaps, configMap("mistaken", [{ ...owner, metadata: { ...owner.metadata, uid: "11111111-1111-1111-1111-111111111111" } }]));
    await plane.client.create(configmaps, configMap("astray", [elsewhere]));
    await plane.client.create(configmaps, configMap("unknown", [{ ...owner, apiVersion: "example.com/v1", kind: "Widget" }]));
    await plane.client.create(configmaps, configMap("child", [owner]));
    await eventually(() => expect(names(plane)).toEqual(["child", "owner", "unknown"]));
  });

  test("a deployment takes its ReplicaSets and pods with it", async () => {
    await using plane = await startControlPlane();
    const template = { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "c", image: "i" }] } };
    await plane.client.create(deployments, { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "web", namespace: ns }, spec: { replicas: 2, selector: { matchLabels: { app: "web" } }, template } });
    await eventually(() => expect(plane.pods(ns).length).toBe(2));
    await plane.client.delete(deployments, { namespace: ns, name: "web" });
    await eventually(() => {
      expect(plane.list(replicasets, ns)).toEqual([]);
      expect(plane.pods(ns).filter((p) => !p.metadata.deletionTimestamp)).toEqual([]);
    });
  });
});

describe("nodes", () => {
  const ready = (status: string, at: number): object => ({ status: { conditions: [{ type: "Ready", status, lastHeartbeatTime: new Date(at).toISOString() }] } });

  async function addNode(plane: ControlPlane, clock: FakeClock, name: string): Promise<void> {
    await plane.client.create(nodes, { apiVersion: "v1", kind: "Node", metadata: { name }, spec: {} });
    await plane.client.patch(nodes, { name }, { type: "application/merge-patch+json", body: ready("True", clock.now()) }, { subresource: "status" });
    await plane.client.create(leases, { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name, namespace: "kube-node-lease" }, spec: { holderIdentity: name, renewTime: new Date(clock.now()).toISOString() } });
  }
  const renew = (plane: ControlPlane, clock: FakeClock, name: string): Promise<unknown> =>
    plane.client.patch(leases, { namespace: "kube-node-lease", name }, { type: "application/merge-patch+json", body: { spec: { renewTime: new Date(clock.now()).toISOString() } } });
  const node = (plane: ControlPlane, name: string): Node => plane.list<Node>(nodes).find((n) => n.metadata.name === name)!;
  const taints = (plane: ControlPlane, name: string): string[] => (node(plane, name).spec.taints ?? []).map((t) => `${t.key}:${t.effect}`).toSorted();
  const toleration = (tolerationSeconds: number): object => ({ key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute", tolerationSeconds });
  const deleted = (plane: ControlPlane): string[] => plane.pods(ns).filter((p) => p.metadata.deletionTimestamp).map((p) => p.metadata.name!);

  /** Moves time on in steps, while `alive` renews its lease. What a step brings is written before the next one begins. */
  async function pass(plane: ControlPlane, clock: FakeClock, seconds: number, ...alive: string[]): Promise<void> {
    for (let left = seconds; left > 0; left -= 10) {
      await clock.advance(Math.min(10, left) * 1000);
      for (const name of alive) await renew(plane, clock, name);
      await quiet(plane);
    }
  }

  test("a silent node becomes Unknown, and its pods are evicted when their time is up", async () => {
    const clock = new FakeClock();
    await using plane = await startControlPlane({ clock });
    for (const name of ["n1", "n2"]) await addNode(plane, clock, name);
    await plane.client.create(pods, pod("patient", { nodeName: "n1", tolerations: [toleration(300)] } as Partial<Pod["spec"]>));
    await plane.client.create(pods, pod("hasty", { nodeName: "n1", tolerations: [toleration(0)] } as Partial<Pod["spec"]>));
    await plane.runPods(ns);
    await eventually(() => expect([...plane.list<Node>(nodes)].map((n) => n.spec.podCIDR).toSorted()).toEqual(["10.42.0.0/24", "10.42.1.0/24"]));
    await pass(plane, clock, 30, "n1", "n2");
    expect(taints(plane, "n1")).toEqual([]);
    await pass(plane, clock, 60, "n2");
    await eventually(() => {
      expect(node(plane, "n1").status!.conditions!.find((c) => c.type === "Ready")).toMatchObject({ status: "Unknown", reason: "NodeStatusUnknown", message: "Kubelet stopped posting node status." });
      expect(taints(plane, "n1")).toEqual(["node.kubernetes.io/unreachable:NoExecute", "node.kubernetes.io/unreachable:NoSchedule"]);
      expect(taints(plane, "n2")).toEqual([]);
      expect(deleted(plane)).toEqual(["hasty"]);
      expect(plane.pods(ns).find((p) => p.metadata.name === "patient")!.status!.conditions!.find((c) => c.type === "Ready")!.status).toBe("False");
    });
    await pass(plane, clock, 200, "n2");
    expect(deleted(plane)).toEqual(["hasty"]);
    await pass(plane, clock, 120, "n2");
    await eventually(() => expect(deleted(plane)).toEqual(["hasty", "patient"]));
  });

  test("a node that comes back in time keeps its pods", async () => {
    const clock = new FakeClock();
    await using plane = await startControlPlane({ clock });
    for (const name of ["n1", "n2"]) await addNode(plane, clock, name);
    await plane.client.create(pods, pod("patient", { nodeName: "n1", tolerations: [toleration(300)] } as Partial<Pod["spec"]>));
    await pass(plane, clock, 20, "n1", "n2");
    await pass(plane, clock, 100, "n2");
    await eventually(() => expect(taints(plane, "n1").length).toBe(2));
    await plane.client.patch(nodes, { name: "n1" }, { type: "application/strategic-merge-patch+json", body: ready("True", clock.now()) }, { subresource: "status" });
    await renew(plane, clock, "n1");
    await eventually(() => expect(taints(plane, "n1")).toEqual([]));
    await pass(plane, clock, 400, "n1", "n2");
    expect(deleted(plane)).toEqual([]);
  });

  test("when no node answers, nothing is evicted", async () => {
    const clock = new FakeClock();
    await using plane = await startControlPlane({ clock });
    await addNode(plane, clock, "n1");
    await plane.client.create(pods, pod("hasty", { nodeName: "n1" }));
    await pass(plane, clock, 500);
    await eventually(() => expect(taints(plane, "n1")).toEqual(["node.kubernetes.io/unreachable:NoSchedule"]));
    expect(deleted(plane)).toEqual([]);
  });

  test("pods of a node that is gone are removed after a while", async () => {
    const clock = new FakeClock();
    await using plane = await startControlPlane({ clock });
    for (const name of ["n1", "n2"]) await addNode(plane, clock, name);
    await plane.client.create(pods, pod("lost", { nodeName: "n1" }));
    await plane.client.create(pods, pod("kept", { nodeName: "n2" }));
    await plane.client.delete(nodes, { name: "n1" });
    await pass(plane, clock, 30, "n2");
    expect(plane.pods(ns).map((p) => p.metadata.name!)).toEqual(["kept", "lost"]);
    await pass(plane, clock, 20, "n2");
    await eventually(() => expect(plane.pods(ns).map((p) => p.metadata.name!)).toEqual(["kept"]));
  });
});

test("aggregated cluster roles gather rules as roles come and go", async () => {
  await using plane = await startControlPlane();
  const role = (name: string, resource: string): ClusterRole => ({ apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole", metadata: { name, labels: { gather: "yes" } }, rules: [{ apiGroups: [""], resources: [resource], verbs: ["get"] }] });
  await plane.client.create(clusterroles, { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole", metadata: { name: "all" }, aggregationRule: { clusterRoleSelectors: [{ matchLabels: { gather: "yes" } }] }, rules: [] });
  const gathered = (): string[] => (plane.list<ClusterRole>(clusterroles).find((r) => r.metadata.name === "all")!.rules ?? []).flatMap((r) => r.resources!);
  await plane.client.create(clusterroles, role("b", "pods"));
  await plane.client.create(clusterroles, role("a", "secrets"));
  await eventually(() => expect(gathered()).toEqual(["secrets", "pods"]));
  await plane.client.delete(clusterroles, { name: "a" });
  await eventually(() => expect(gathered()).toEqual(["pods"]));
});

test("bootstrap tokens sign cluster-info as long as they are there", async () => {
  await using plane = await startControlPlane();
  const info = { namespace: "kube-public", name: "cluster-info" }, token = { namespace: "kube-system", name: "bootstrap-token-abcdef" };
  const data = Object.fromEntries(Object.entries({ "token-id": "abcdef", "token-secret": "0123456789abcdef", "usage-bootstrap-signing": "true" }).map(([name, value]) => [name, Buffer.from(value).toString("base64")]));
  await plane.client.create(configmaps, { metadata: info, data: { kubeconfig: "text" } });
  await plane.client.create(secrets, { metadata: token, type: "bootstrap.kubernetes.io/token", data });
  await eventually(async () => expect((await plane.client.get(configmaps, info)).data?.["jws-kubeconfig-abcdef"]).toStartWith("eyJ"));
  await plane.client.delete(secrets, token);
  await eventually(async () => expect((await plane.client.get(configmaps, info)).data).toEqual({ kubeconfig: "text" }));
});

test("Leases of API servers that are gone go, others stay", async () => {
  const clock = new FakeClock();
  await using plane = await startControlPlane({ clock, select: ({ name }) => name === "apiserver-lease-gc" });
  const namespace = "kube-system", identity = { "apiserver.kubernetes.io/identity": "kube-apiserver" };
  const lease = (name: string, labels: Record<string, string>): Promise<unknown> => plane.client.create(leases, {
    apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name, namespace, labels }, spec: { holderIdentity: name, leaseDurationSeconds: 3600, renewTime: new Date(clock.now()).toISOString() },
  });
  await lease("gone", identity);
  await lease("alive", identity);
  await lease("other", {});
  const left = (): string[] => plane.list(leases, namespace).map(({ metadata }) => metadata.name!).toSorted();
  // Our clock is set by two hours: that says nothing of theirs.
  clock.jump(7_200_000);
  await clock.advance(1_800_000);
  expect(left()).toEqual(["alive", "gone", "other"]);
  await plane.client.patch(leases, { namespace, name: "alive" }, { type: "application/merge-patch+json", body: { spec: { renewTime: new Date(clock.now()).toISOString() } } });
  await clock.advance(1_900_000);
  await eventually(() => expect(left()).toEqual(["alive", "other"]));
});

test("a quota that was charged for what was never written is put right after a while", async () => {
  const clock = new FakeClock();
  await using plane = await startControlPlane({ clock, select: ({ name }) => name === "resourcequota-controller" });
  await plane.client.create(resourcequotas, { apiVersion: "v1", kind: "ResourceQuota", metadata: { name: "q", namespace: ns }, spec: { hard: { configmaps: "5" } } });
  const used = (): string | number | undefined => plane.list<ResourceQuota>(resourcequotas, ns)[0]!.status?.used?.["configmaps"];
  await eventually(() => expect(used()).toBe("0"));
  await plane.client.patch(resourcequotas, { namespace: ns, name: "q" }, { type: "application/merge-patch+json", body: { status: { used: { configmaps: "3" } } } }, { subresource: "status" });
  await clock.advance(200_000);
  expect(used()).toBe("3");
  await clock.advance(101_000);
  await eventually(() => expect(used()).toBe("0"));
  await eventually(() => expect(clock.sleeping).toBe(0));
});
