import { CriError } from "../../cri/cri.ts";
import { runHook } from "../actions/lifecycle.ts";
import { ignoreMissing, type RuntimeContainer, type RuntimePod } from "../runtime/runtime-status.ts";
import type { PodContext } from "./context.ts";
import { containerReference } from "./container-reference.ts";
import { findContainer, initContainers, isHostNetwork, isSidecar, type Pod } from "./pod.ts";

/** The least a container gets between SIGTERM and SIGKILL, whatever was asked. */
const leastGraceSeconds = 2;

export interface KillOptions {
  graceSeconds: number;
  /** What the Killing event says. */
  message: string;
  signal: AbortSignal;
}

/** Ends one container as Kubernetes promises: preStop first, its time counted, then SIGTERM, and SIGKILL when the grace is over. */
export async function killContainer(context: PodContext, pod: Pod, running: RuntimeContainer, podIp: string, { graceSeconds, message, signal }: KillOptions): Promise<void> {
  const { clock, recorder, runtime } = context;
  const container = findContainer(pod, running.name);
  const deadline = clock.monotonic() + graceSeconds * 1000;
  if (container) recorder.event(containerReference(pod, container), "Normal", "Killing", message);
  const preStop = container?.lifecycle?.preStop;
  if (container && preStop && running.state === "running" && graceSeconds > 0) {
    try {
      await runHook(preStop, { runtime, clock, container, containerId: running.id, podIp, timeoutMs: graceSeconds * 1000, signal });
    } catch (error) {
      signal.throwIfAborted();
      recorder.event(containerReference(pod, container), "Warning", "FailedPreStopHook", `PreStopHook failed: ${errorText(error)}`);
    }
  }
  const timeout = Math.max(leastGraceSeconds, Math.ceil((deadline - clock.monotonic()) / 1000));
  await ignoreMissing(runtime.runtime.stopContainer({ containerId: running.id, timeout }, { timeoutMs: timeout * 1000 + 60_000, signal }));
}

/** Ends all containers of a pod, sidecars after the others and in the reverse of their order, then stops its sandboxes, which frees its addresses. */
export async function killPod(context: PodContext, pod: Pod, runtime: RuntimePod, options: KillOptions & { message: string }): Promise<void> {
  const deadline = context.clock.monotonic() + options.graceSeconds * 1000;
  const podIp = runtime.sandboxes[0]?.ips[0] ?? (isHostNetwork(pod) ? context.nodeIps()[0] ?? "" : "");
  const live = runtime.containers.filter(({ state }) => state === "running" || state === "unknown");
  const sidecars = initContainers(pod).filter(isSidecar).map(({ name }) => name);
  const kill = (container: RuntimeContainer): Promise<void> =>
    killContainer(context, pod, container, podIp, { ...options, message: `Stopping container ${container.name}`, graceSeconds: Math.max(0, (deadline - context.clock.monotonic()) / 1000) });
  await Promise.all(live.filter(({ name }) => !sidecars.includes(name)).map(kill));
  for (const name of sidecars.reverse()) await Promise.all(live.filter((container) => container.name === name).map(kill));
  await Promise.all(runtime.sandboxes.map(({ id }) => ignoreMissing(context.runtime.runtime.stopPodSandbox({ podSandboxId: id }))));
}

/** An error as Go's gRPC would print it, which is what Kubernetes' events show. */
export function errorText(error: unknown): string {
  if (error instanceof CriError) return `rpc error: code = ${codeNames[error.code] ?? error.code} desc = ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}

const codeNames: Record<number, string> = {
  1: "Canceled", 2: "Unknown", 3: "InvalidArgument", 4: "DeadlineExceeded", 5: "NotFound", 6: "AlreadyExists", 7: "PermissionDenied",
  8: "ResourceExhausted", 9: "FailedPrecondition", 10: "Aborted", 11: "OutOfRange", 12: "Unimplemented", 13: "Internal", 14: "Unavailable",
};
