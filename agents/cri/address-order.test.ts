import { expect, test } from "bun:test";
import { ipv6First } from "./address-order.ts";
import type { ContainerRuntime } from "./cri.ts";
import type { PodSandboxStatusResponse } from "./generated/messages.ts";

test.each<[string, PodSandboxStatusResponse, object]>([
  ["both", { status: { id: "a", network: { ip: "10.42.0.2", additionalIps: [{ ip: "fd00:42::2" }] } } }, { ip: "fd00:42::2", additionalIps: [{ ip: "10.42.0.2" }] }],
  ["one", { status: { network: { ip: "fd00:42::2" } } }, { ip: "fd00:42::2", additionalIps: [] }],
  ["none yet", { status: { network: {} } }, {}],
])("a pod's addresses, the IPv6 one first: %s", async (_, response, network) => {
  const runtime = { runtime: { podSandboxStatus: async () => response, version: async () => ({ runtimeName: "fake" }) } } as unknown as ContainerRuntime;
  const ordered = ipv6First(runtime);
  expect((await ordered.runtime.podSandboxStatus({ podSandboxId: "a" })).status?.network).toEqual(network);
  expect(await ordered.runtime.version({})).toEqual({ runtimeName: "fake" } as never);
});
