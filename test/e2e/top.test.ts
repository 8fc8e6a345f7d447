import { expect, test } from "bun:test";
import { skiffForThisFile } from "../support/e2e.ts";
import { eventually } from "../support/eventually.ts";
import type { KubeJson } from "../support/kubectl.ts";
import { pod, shell } from "../support/workloads.ts";

/** What is used, as a user sees it: without an add-on. */
const skiff = await skiffForThisFile();
const { kubectl } = skiff;

const busy = shell("while :; do :; done", { resources: { requests: { cpu: "100m" }, limits: { cpu: "200m" } } });
await kubectl.apply(pod("busy", busy), pod("idle", shell("sleep 1000")));
await kubectl("wait", "--for=condition=Ready", "pod/busy", "pod/idle", "--timeout=120s");

test("kubectl top shows nodes, pods and containers, at the first question", async () => {
  const pods = await kubectl("top", "pods", "--containers");
  expect(pods).toMatch(/^busy +main +\d+m +\d+Mi/m);
  expect(pods).toMatch(/^idle +main +0m +\d+Mi/m);
  expect(await kubectl("top", "nodes")).toMatch(/^node-1 +\d+m +\d+% +\d+Mi +\d+%/m);
  const [used] = /(?<=^busy +main +)\d+/m.exec(pods)!;
  // Held to a fifth of a core, of which it gets less where others want much.
  expect(Number(used)).toBeGreaterThan(20);
  expect(Number(used)).toBeLessThan(320);
});

test("the kubelet's own figures are reached through the API", async () => {
  const summary = JSON.parse(await kubectl("get", "--raw", "/api/v1/nodes/node-1/proxy/stats/summary")) as KubeJson;
  expect(summary.pods.map(({ podRef }: KubeJson) => podRef.name).sort()).toEqual(["busy", "idle"]);
  expect(await kubectl("get", "--raw", "/api/v1/nodes/node-1/proxy/metrics/cadvisor")).toContain('container_cpu_usage_seconds_total{container="main"');
});

test("an autoscaler adds pods to those that have more to do than they asked for", async () => {
  const labels = { app: "worker" };
  await kubectl.apply(
    { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "worker" }, spec: { replicas: 1, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { terminationGracePeriodSeconds: 0, containers: [busy] } } } },
    { apiVersion: "autoscaling/v2", kind: "HorizontalPodAutoscaler", metadata: { name: "worker" }, spec: { scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "worker" }, minReplicas: 1, maxReplicas: 2, metrics: [{ type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } } }] } },
  );
  await eventually(async () => {
    const { status } = await kubectl.get("hpa", "worker");
    expect(status.desiredReplicas).toBe(2);
  }, { timeout: 120_000, interval: 1000 });
});
