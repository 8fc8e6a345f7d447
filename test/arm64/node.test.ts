import { expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { skiffForThisFile } from "../support/e2e.ts";
import { deployment, pod, service, shell, webServer } from "../support/workloads.ts";

// The executable runs this test because the variable tells it to; the servers that the test starts shall be themselves.
delete process.env["BUN_BE_BUN"];

// Emulated, everything takes ten times as long.
const patience = 300_000;
const skiff = await skiffForThisFile();
setDefaultTimeout(2 * patience);
const { kubectl } = skiff;

test("a node of ARM, whose memory controller is that of cgroup v2", async () => {
  const [node] = await kubectl.items("nodes");
  expect(node.status.nodeInfo).toMatchObject({ architecture: "arm64", operatingSystem: "linux" });
  expect(node.metadata.labels).toMatchObject({ "kubernetes.io/arch": "arm64" });
});

test("a Deployment behind a Service, by its name", async () => {
  await kubectl.apply(deployment("web", 2, webServer("mkdir /www; echo hello from $(uname -m) > /www/index.html")), service("web"));
  await kubectl.with({ timeoutMs: patience })("rollout", "status", "deployment/web", "--timeout=80s").catch(async (error: Error) => {
    throw new Error(`${error.message}\n${await kubectl("get", "events")}\n${await kubectl("describe", "pods")}`, { cause: error });
  });
  await kubectl.apply(pod("client", shell("until wget -qO- http://web; do sleep 1; done; exec sleep 10000")));
  await eventually(async () => expect(await kubectl("logs", "client")).toBe("hello from aarch64\n"), { timeout: patience });
});

test("exec, and the end of a container that takes more memory than it may", async () => {
  expect(await kubectl("exec", "client", "--", "cat", "/etc/resolv.conf")).toContain("10.43.0.10");
  await kubectl.apply(pod("greedy", shell("tail /dev/zero", { resources: { limits: { memory: "16Mi" } } }), { restartPolicy: "Never" }));
  await kubectl.untilPod("greedy", ({ containerStatuses }) => expect(containerStatuses[0].state.terminated).toMatchObject({ reason: "OOMKilled", exitCode: 137 }), patience);
});

test("pods stay as they are over kill -9 of the server, and go when they are deleted", async () => {
  const containers = async (): Promise<string[]> => (await kubectl.items("pods", "-l", "app=web")).map(({ status }) => status.containerStatuses[0].containerID).toSorted();
  const before = await containers();
  await skiff.kill9();
  skiff.spawn();
  await skiff.untilApiReady(patience);
  await skiff.untilNodeReady(patience);
  expect(await containers()).toEqual(before);
  await kubectl.with({ timeoutMs: patience })("delete", "deployment/web", "pod/client", "pod/greedy", "--timeout=280s");
  await eventually(async () => expect(await kubectl.items("pods")).toEqual([]), { timeout: patience });
});
