import type { Clock } from "../../../src/base/clock.ts";
import { GrpcError } from "../../../src/base/grpc/error.ts";
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
  /** The container is told to end once this has resolved, or its grace is over; its preStop hook runs at once. */
  turn?: Promise<unknown>;
}

/** Ends one container as Kubernetes promises: preStop first, its time counted, then SIGTERM, and SIGKILL when the grace is over. */
export async function killContainer(context: PodContext, pod: Pod, running: RuntimeContainer, podIp: string, { graceSeconds, message, signal, turn }: KillOptions): Promise<void> {
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
  if (turn) await within(clock, deadline, turn, signal);
  const timeout = Math.max(leastGraceSeconds, Math.ceil((deadline - clock.monotonic()) / 1000));
  await ignoreMissing(runtime.runtime.stopContainer({ containerId: running.id, timeout }, { timeoutMs: timeout * 1000 + 60_000, signal }));
}

async function within(clock: Clock, deadline: number, turn: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const come = new AbortController();
  await Promise.race([turn.catch(() => undefined), clock.sleep(Math.max(0, deadline - clock.monotonic()), AbortSignal.any([come.signal, signal])).catch(() => undefined)]);
  come.abort();
  signal.throwIfAborted();
}

/**
 * Ends all containers of a pod, sidecars after the others and in the reverse of their order, then stops its sandboxes, which frees its addresses.
 * All preStop hooks run at once; whoever waits for others does so on its own grace. Source: KEP-753, "Pod shutdown and preStop hooks".
 */
export async function killPod(context: PodContext, pod: Pod, runtime: RuntimePod, options: KillOptions & { message: string }): Promise<void> {
  const podIp = runtime.sandboxes[0]?.ips[0] ?? (isHostNetwork(pod) ? context.nodeIps()[0] ?? "" : "");
  const live = runtime.containers.filter(({ state }) => state === "running" || state === "unknown");
  const sidecars = initContainers(pod).filter(isSidecar).map(({ name }) => name);
  const kill = (container: RuntimeContainer, turn?: Promise<unknown>): Promise<void> => killContainer(context, pod, container, podIp, { ...options, message: `Stopping container ${container.name}`, ...(turn ? { turn } : {}) });
  let before: Promise<unknown> = Promise.all(live.filter(({ name }) => !sidecars.includes(name)).map((container) => kill(container)));
  for (const name of sidecars.reverse()) {
    const turn = before;
    before = Promise.all([turn, ...live.filter((container) => container.name === name).map((container) => kill(container, turn))]);
  }
  await before;
  await Promise.all(runtime.sandboxes.map(({ id }) => ignoreMissing(context.runtime.runtime.stopPodSandbox({ podSandboxId: id }))));
}

/** An error as Go's gRPC would print it, which is what Kubernetes' events show. */
export function errorText(error: unknown): string {
  if (error instanceof GrpcError) return `rpc error: code = ${codeNames[error.code] ?? error.code} desc = ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}

const codeNames: Record<number, string> = {
  1: "Canceled", 2: "Unknown", 3: "InvalidArgument", 4: "DeadlineExceeded", 5: "NotFound", 6: "AlreadyExists", 7: "PermissionDenied",
  8: "ResourceExhausted", 9: "FailedPrecondition", 10: "Aborted", 11: "OutOfRange", 12: "Unimplemented", 13: "Internal", 14: "Unavailable",
};
