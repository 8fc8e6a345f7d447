import { release } from "node:os";
import type { Rejection } from "./admission.ts";
import { isHostNetwork, type Pod } from "./pod.ts";

/**
 * The kernel settings a pod may have: of its own namespaces, without effect on other pods; each with the kernel since which that is so.
 * Source: k8s.io/kubernetes/pkg/kubelet/sysctl/safe_sysctls.go.
 */
const safe: Readonly<Record<string, readonly [major: number, minor: number]>> = {
  "kernel.shm_rmid_forced": [0, 0], "net.ipv4.ip_local_port_range": [0, 0], "net.ipv4.tcp_syncookies": [0, 0], "net.ipv4.ping_group_range": [0, 0],
  "net.ipv4.ip_unprivileged_port_start": [0, 0], "net.ipv4.ip_local_reserved_ports": [3, 16], "net.ipv4.tcp_keepalive_time": [4, 5], "net.ipv4.tcp_fin_timeout": [4, 6],
  "net.ipv4.tcp_keepalive_intvl": [4, 5], "net.ipv4.tcp_keepalive_probes": [4, 5], "net.ipv4.tcp_rmem": [4, 15], "net.ipv4.tcp_wmem": [4, 15],
};

/** Why the node does not take a pod with such kernel settings. Source: k8s.io/kubernetes/pkg/kubelet/sysctl/allowlist.go. */
export function forbiddenSysctl(pod: Pod, kernel = release()): Rejection | undefined {
  for (const { name: written } of pod.spec.securityContext?.sysctls ?? []) {
    const name = withDots(written);
    const problem = !isSafe(name, kernel) ? "not allowlisted" : sharedWithHost(pod, name);
    if (problem) return { reason: "SysctlForbidden", message: `forbidden sysctl: "${name}" ${problem}` };
  }
  return undefined;
}

function isSafe(name: string, kernel: string): boolean {
  if (!Object.hasOwn(safe, name)) return false;
  const [major = 0, minor = 0] = kernel.split(/[.-]/).map(Number), since = safe[name]!;
  return major > since[0] || (major === since[0] && minor >= since[1]);
}

function sharedWithHost(pod: Pod, name: string): string | undefined {
  if (name.startsWith("kernel.shm") && pod.spec.hostIPC) return "not allowed with host IPC enabled";
  return name.startsWith("net.") && isHostNetwork(pod) ? "not allowed with host Net enabled" : undefined;
}

/** `net/ipv4/conf/eno2.100/rp_filter` is `net.ipv4.conf.eno2/100.rp_filter`: what separates first, separates. */
export function withDots(name: string): string {
  if (/[./]/.exec(name)?.[0] !== "/") return name;
  return name.replace(/[./]/g, (separator) => (separator === "/" ? "." : "/"));
}
