import { expect, test } from "bun:test";
import type { Pod, PodSpec } from "../../../src/apis/generated/core/v1.ts";
import { forbiddenSysctl, withDots } from "./sysctls.ts";

const pod = (names: readonly string[], spec: Partial<PodSpec> = {}): Pod => ({ metadata: { name: "p" }, spec: { containers: [], securityContext: { sysctls: names.map((name) => ({ name, value: "1" })) }, ...spec } });

const cases: [string, Pod, string | undefined][] = [
  ["of its own", pod(["kernel.shm_rmid_forced", "net.ipv4.tcp_rmem"]), undefined],
  ["of its own, with slashes", pod(["net/ipv4/ip_local_port_range"]), undefined],
  ["none", { metadata: { name: "p" }, spec: { containers: [] } }, undefined],
  ["that others would feel", pod(["net.ipv4.tcp_syncookies", "kernel.msgmax"]), 'forbidden sysctl: "kernel.msgmax" not allowlisted'],
  ["that are an object's own", pod(["constructor"]), 'forbidden sysctl: "constructor" not allowlisted'],
  ["of the node's network", pod(["net.ipv4.tcp_syncookies"], { hostNetwork: true }), 'forbidden sysctl: "net.ipv4.tcp_syncookies" not allowed with host Net enabled'],
  ["of the node's shared memory", pod(["kernel.shm_rmid_forced"], { hostIPC: true }), 'forbidden sysctl: "kernel.shm_rmid_forced" not allowed with host IPC enabled'],
];
test.each(cases)("kernel settings %s", (_, of, message) => {
  expect(forbiddenSysctl(of, "6.1.0-18-amd64")).toEqual(message === undefined ? undefined : { reason: "SysctlForbidden", message });
});

test("older kernels have some settings for all pods together", () => {
  const allowed = ["4.14.336", "4.15.0", "5.4.0"].map((kernel) => forbiddenSysctl(pod(["net.ipv4.tcp_wmem"]), kernel) === undefined);
  expect(allowed).toEqual([false, true, true]);
});

test("what separates first, separates", () => {
  expect(["net.ipv4.conf.eno2/100.rp_filter", "net/ipv4/conf/eno2.100/rp_filter", "plain"].map(withDots)).toEqual(["net.ipv4.conf.eno2/100.rp_filter", "net.ipv4.conf.eno2/100.rp_filter", "plain"]);
});
