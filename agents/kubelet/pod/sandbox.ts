import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { isHostNetwork, type Pod } from "./pod.ts";
import type { PodContext } from "./context.ts";
import type { Sandbox } from "./start-container.ts";
import { podLogFolder, sandboxConfig } from "../runtime/sandbox-config.ts";
import type { PodSandboxConfig } from "../../cri/generated/messages.ts";
import { GrpcError } from "../../../src/base/grpc/error.ts";

export const logDirectoryOf = (context: PodContext, pod: Pod): string =>
  join(context.logDir, podLogFolder({ namespace: pod.metadata.namespace!, name: pod.metadata.name!, uid: pod.metadata.uid! }));

/** The configuration a sandbox has, or would get: containers are created with it again. */
export function configOfSandbox(context: PodContext, pod: Pod, attempt: number): PodSandboxConfig {
  return sandboxConfig(pod, {
    attempt, logDirectory: logDirectoryOf(context, pod), cgroupParent: context.cgroups.pathOf(pod), seccompRoot: context.seccompRoot,
    clusterDns: context.clusterDns, nodeResolvConf: context.nodeResolvConf(),
  });
}

/** Runs a new sandbox and learns its addresses. A name that is still reserved by a sandbox being removed is left to it: the next attempt number is free. */
export async function runSandbox(context: PodContext, pod: Pod, firstAttempt: number): Promise<Sandbox> {
  const refusal = unsupported(pod);
  if (refusal) throw new Error(refusal);
  const runtimeHandler = await context.runtimeHandler(pod.spec.runtimeClassName);
  mkdirSync(logDirectoryOf(context, pod), { recursive: true });
  for (let attempt = firstAttempt; ; attempt++) {
    const config = configOfSandbox(context, pod, attempt);
    try {
      const { podSandboxId: id = "" } = await context.runtime.runtime.runPodSandbox({ config, runtimeHandler }, { timeoutMs: 4 * 60 * 1000 });
      return { id, config, ips: await addressesOf(context, pod, id) };
    } catch (error) {
      const reserved = error instanceof GrpcError && /failed to reserve sandbox name/i.test(error.message);
      if (!reserved || attempt - firstAttempt >= 5) throw error;
    }
  }
}

/** Isolation that a pod asks for and would silently not get: better no pod than one less isolated than its owner thinks. */
function unsupported({ spec }: Pod): string | undefined {
  if (spec.hostUsers === false) return "user namespaces are not supported on this node: cannot run a pod with hostUsers: false";
  return undefined;
}

async function addressesOf(context: PodContext, pod: Pod, podSandboxId: string): Promise<readonly string[]> {
  if (isHostNetwork(pod)) return context.nodeIps();
  const { status } = await context.runtime.runtime.podSandboxStatus({ podSandboxId });
  const ips = [status?.network?.ip, ...(status?.network?.additionalIps ?? []).map(({ ip }) => ip)].filter((ip): ip is string => Boolean(ip));
  if (ips.length === 0) throw new Error(`the sandbox ${podSandboxId} has no address`);
  return ips;
}
