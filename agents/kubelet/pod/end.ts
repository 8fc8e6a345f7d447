import { rmSync } from "node:fs";
import { ignoreMissing, type RuntimePod } from "../runtime/runtime-status.ts";
import type { PodContext } from "./context.ts";
import { killPod } from "./kill.ts";
import type { Pod } from "./pod.ts";
import { logDirectoryOf } from "./sandbox.ts";

export interface EndOptions {
  graceSeconds: number;
  signal: AbortSignal;
  read(): Promise<RuntimePod>;
}

/** Stops all that runs of the pod; returns what the runtime says then. Its containers stay, dead, for their status and logs. */
export async function endPod(context: PodContext, pod: Pod, runtime: RuntimePod, { graceSeconds, signal, read }: EndOptions): Promise<RuntimePod> {
  const alive = runtime.containers.some(({ state }) => state === "running" || state === "unknown") || runtime.sandboxes.some(({ ready }) => ready);
  if (!alive) return runtime;
  await killPod(context, pod, runtime, { graceSeconds, message: "", signal });
  return read();
}

/** Takes away the last traces of a pod that the API has forgotten. */
export async function removePod(context: PodContext, pod: Pod, runtime: RuntimePod): Promise<void> {
  const { cri, uid } = { cri: context.runtime.runtime, uid: pod.metadata.uid! };
  await Promise.all(runtime.containers.map(({ id }) => ignoreMissing(cri.removeContainer({ containerId: id }))));
  for (const { id } of runtime.sandboxes) {
    await ignoreMissing(cri.stopPodSandbox({ podSandboxId: id }));
    await ignoreMissing(cri.removePodSandbox({ podSandboxId: id }));
  }
  context.probes.forget(uid);
  await context.volumes.tearDown(uid);
  context.cgroups.remove(uid);
  context.references.unregister(uid);
  context.resizer.forget(uid);
  context.statuses.forget(uid);
  context.crashes.forget(`${uid}/`);
  if (pod.metadata.name) rmSync(logDirectoryOf(context, pod), { recursive: true, force: true });
}
