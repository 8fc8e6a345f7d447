import { expect, test } from "bun:test";
import { ProtoCodec } from "../../src/base/grpc/protobuf.ts";
import descriptors from "./cri-v1.json" with { type: "json" };

const codec = new ProtoCodec(descriptors as never);
const roundTrip = (type: string, message: Record<string, unknown>) => codec.decode(type, codec.encode(type, message));

const cases: [string, Record<string, unknown>][] = [
  ["ContainerConfig", { metadata: { name: "main", attempt: 2 }, image: { image: "busybox" }, command: ["sh", "-c"], envs: [{ key: "A", value: new Uint8Array([49]) }, { key: "B" }], labels: { a: "1", b: "" }, tty: true }],
  ["LinuxContainerResources", { cpuPeriod: 100000, cpuQuota: -1, memoryLimitInBytes: 9_007_199_254_740_000, oomScoreAdj: -997, unified: { "memory.oom.group": "1" } }],
  ["LinuxContainerSecurityContext", { seccomp: { profileType: 2, localhostRef: "x.json" }, supplementalGroups: [1, 2, 70000], runAsUser: { value: 1000 }, noNewPrivs: true }],
  ["ExecSyncResponse", { stdout: new Uint8Array([0, 255]), exitCode: 137 }],
  ["PodSandboxStatus", { createdAt: 1_790_000_000_000_000_000, network: { ip: "10.42.0.2", additionalIps: [{ ip: "::1" }] } }],
  ["NamespaceOption", {}],
];
test.each(cases)("%s survives a round trip", (type, message) => expect(roundTrip(type, message)).toEqual(message));

test("zero values are not sent, and unknown fields are skipped", () => {
  expect(codec.encode("ContainerMetadata", { name: "", attempt: 0 }).length).toBe(0);
  const withMore = new ProtoCodec({ ContainerMetadata: { fields: { name: { type: "string", id: 1 }, extra: { type: "string", id: 99 } } } }).encode("ContainerMetadata", { name: "x", extra: "y" });
  expect(codec.decode("ContainerMetadata", withMore)).toEqual({ name: "x" });
});
