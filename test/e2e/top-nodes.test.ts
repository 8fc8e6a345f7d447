import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import type { KubeJson } from "../support/kubectl.ts";
import { startCluster, type TestCluster } from "../support/node/cluster.ts";
import { pod, shell } from "../support/workloads.ts";

setDefaultTimeout(240_000);

/** What machines that have joined use: asked through their tunnels. */
let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startCluster({ agents: [{ name: "edge-1" }] });
  await cluster.kubectl.apply(pod("there", shell("while :; do :; done", { resources: { limits: { cpu: "200m" } } }), { nodeName: "edge-1" }));
  await cluster.kubectl.untilPod("there", (status) => expect(status.phase).toBe("Running"));
});
afterAll(() => cluster.dispose());

const serverName = (): string => cluster.server.node.name;
/** Of nodes that tell what they use. */
const measured = async (): Promise<string[]> => (JSON.parse(await cluster.kubectl("get", "--raw", "/apis/metrics.k8s.io/v1beta1/nodes")) as KubeJson).items.map(({ metadata }: KubeJson) => metadata.name as string).sort();

test("kubectl top shows other machines, and pods there", async () => {
  await eventually(async () => {
    const nodes = await cluster.kubectl("top", "nodes");
    for (const name of ["edge-1", serverName()]) expect(nodes).toMatch(new RegExp(`^${name} +[1-9]\\d*m +\\d+% +\\d+Mi +\\d+%`, "m"));
    expect(await cluster.kubectl("top", "pods")).toMatch(/^there +[1-9]\d+m +\d+Mi/m);
  }, { interval: 500 });
});

test("one that can't be reached is left out, and keeps nobody waiting for long", async () => {
  const { node } = cluster.member("edge-1");
  node.unplug();
  await eventually(async () => expect(await measured()).toEqual([serverName()]), { interval: 1000 });
  const began = performance.now();
  expect(await measured()).toEqual([serverName()]);
  expect(performance.now() - began).toBeLessThan(20_000);
  node.plug();
  await eventually(async () => expect(await measured()).toContain("edge-1"), { interval: 1000 });
});
