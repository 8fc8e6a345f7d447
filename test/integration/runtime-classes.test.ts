import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { hasAppArmor } from "../../agents/kubelet/node/host-security.ts";
import { runtimeclasses } from "../../src/apis/builtins.ts";
import { eventually } from "../support/eventually.ts";
import { startKubeletNode, type KubeletNode } from "../support/kubelet-node.ts";

setDefaultTimeout(180_000);

/** What a pod asks its node for beside resources: another runtime, isolation. */
let node: KubeletNode;
beforeAll(async () => {
  node = await startKubeletNode();
  for (const [name, handler] of [["by-runc", "runc"], ["by-nobody", "no-such-handler"]] as const) await node.client.create(runtimeclasses, { metadata: { name }, handler });
});
afterAll(async () => node?.[Symbol.asyncDispose]());

const sleeping = { containers: [{ name: "c", command: ["sleep", "1000"] }] };
const untilEvent = (pod: string, text: string): Promise<void> => eventually(async () => {
  expect((await node.events(pod)).filter(({ reason }) => reason === "FailedCreatePodSandBox").map(({ message }) => message)).toContainEqual(expect.stringContaining(text));
});

test("a pod runs by the handler of its RuntimeClass", async () => {
  await node.createPod("chosen", { ...sleeping, runtimeClassName: "by-runc" });
  await node.podWhen("chosen", ({ status }) => status?.phase === "Running");
  const { items = [] } = await node.containerd.runtime.runtime.listPodSandbox({});
  expect(items.filter(({ metadata }) => metadata?.name === "chosen").map(({ runtimeHandler }) => runtimeHandler)).toEqual(["runc"]);
});

test("a handler that the runtime doesn't have is told of", async () => {
  await node.createPod("nobody", { ...sleeping, runtimeClassName: "by-nobody" });
  await untilEvent("nobody", 'no runtime for "no-such-handler" is configured');
});

test("isolation that the node doesn't have is refused, not left out", async () => {
  await node.createPod("mapped", { ...sleeping, hostUsers: false });
  await untilEvent("mapped", "user namespaces are not supported on this node");
  await node.createPod("confined", { ...sleeping, securityContext: { appArmorProfile: { type: "RuntimeDefault" } } });
  const expected = hasAppArmor() ? { phase: "Running" } : { phase: "Failed", reason: "AppArmor", message: expect.stringContaining("Cannot enforce AppArmor: AppArmor is not enabled on the host") };
  await eventually(async () => expect((await node.pod("confined")).status).toMatchObject(expected));
});
