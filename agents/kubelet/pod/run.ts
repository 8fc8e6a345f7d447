import { rmSync } from "node:fs";
import { dirname } from "node:path";
import type { PodStatus } from "../../../src/apis/generated/core/v1.ts";
import { applyResize } from "../resize/apply.ts";
import { currentSandbox, ignoreMissing, latestEnded, type RuntimePod } from "../runtime/runtime-status.ts";
import { containerHash } from "../runtime/labels.ts";
import { MountError, VolumePending } from "../volumes/mount-error.ts";
import type { PodVolumes } from "../volumes/volumes.ts";
import { containerReference, podReference } from "./container-reference.ts";
import type { PodContext } from "./context.ts";
import { errorText, killContainer, killPod } from "./kill.ts";
import { computePodActions, type ContainerToKill, type PodActions } from "./plan.ts";
import { findContainer, isHostNetwork, isTerminal, podName, type Container, type Pod } from "./pod.ts";
import type { PodState } from "./pod-worker.ts";
import { prunable } from "./prune.ts";
import { restartAllSources, restartPolicyOf } from "./restart.ts";
import { configOfSandbox, runSandbox } from "./sandbox.ts";
import { startContainer, StartError, type Sandbox } from "./start-container.ts";

export interface RunOptions {
  signal: AbortSignal;
  read(): Promise<RuntimePod>;
  /** Shows the API how things stand. */
  publish(runtime: RuntimePod): PodStatus;
}

/** Brings a pod that should run closer to its spec until there is nothing to do now; returns the last look at it. */
export async function runPod(context: PodContext, pod: Pod, first: RuntimePod, state: PodState, { signal, read, publish }: RunOptions): Promise<RuntimePod> {
  let runtime = first;
  for (;;) {
    if (isTerminal(publish(runtime).phase)) return runtime;
    const actions = computePodActions(pod, runtime, {
      now: context.clock.now(),
      probes: (id) => context.probes.verdict(id),
      backOffRemaining: (container, finishedAt) => context.crashes.remaining(crashKey(pod, container), finishedAt, context.clock.now()),
      resizeRestarts: (running) => context.resizer.restarts(pod, running),
    });
    announceBackOff(context, pod, actions, state);
    const changed = await apply(context, pod, runtime, actions, state, signal);
    signal.throwIfAborted();
    if (!changed) return runtime;
    runtime = await read();
    await prune(context, runtime);
  }
}

/** A changed container is another one, that need not wait for the failures of the old. */
const crashKey = (pod: Pod, container: Container): string => `${pod.metadata.uid}/${container.name}/${containerHash(container)}`;

/** Does what the plan says; false when there was nothing to do, or nothing that worked. */
async function apply(context: PodContext, pod: Pod, runtime: RuntimePod, actions: PodActions, state: PodState, signal: AbortSignal): Promise<boolean> {
  const podIp = isHostNetwork(pod) ? context.nodeIps()[0] ?? "" : currentSandbox(runtime)?.ips[0] ?? "";
  if (actions.reset.length > 0) {
    await reset(context, pod, actions.reset, podIp, signal);
    return true;
  }
  if (actions.killPod && (runtime.sandboxes.some(({ ready }) => ready) || runtime.containers.some(({ state: each }) => each === "running"))) {
    context.recorder.event(podReference(pod), "Normal", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.");
    await killPod(context, pod, runtime, { graceSeconds: pod.spec.terminationGracePeriodSeconds ?? 30, message: "", signal });
  } else if (actions.createSandbox) {
    // A sandbox that died by itself, in a power cut say, has its address until it is stopped.
    await Promise.all(runtime.sandboxes.map(({ id }) => ignoreMissing(context.runtime.runtime.stopPodSandbox({ podSandboxId: id }))));
  }
  await Promise.all(actions.kill.map((toKill) => kill(context, pod, toKill, podIp, signal)));
  context.cgroups.apply(context.resizer.actuated(pod, runtime));
  const resized = await resize(context, pod, runtime, state);
  if (resized === "failed") return actions.kill.length > 0;
  const volumes = await setUpVolumes(context, pod, state);
  if (!volumes) return actions.kill.length > 0;
  const sandbox = await sandboxFor(context, pod, runtime, actions);
  if (!sandbox) return actions.kill.length > 0;
  if (actions.start.length) await context.podHasAddresses?.(pod, sandbox.ips, signal);
  let changed = actions.createSandbox || actions.kill.length > 0 || resized === "done";
  for (const container of actions.start) {
    signal.throwIfAborted();
    changed = (await start(context, pod, container, sandbox, volumes, runtime, state, signal)) || changed;
  }
  return changed;
}

/** Ends and removes the containers one after the other; their logs stay until the pod goes. */
async function reset(context: PodContext, pod: Pod, containers: PodActions["reset"], podIp: string, signal: AbortSignal): Promise<void> {
  for (const container of containers) {
    signal.throwIfAborted();
    if (container.state !== "exited") await killContainer(context, pod, container, podIp, { graceSeconds: 0, message: `Container ${container.name} is restarted with all others of its pod`, signal });
    await ignoreMissing(context.runtime.runtime.removeContainer({ containerId: container.id }));
  }
  for (const { name, finishedAt } of restartAllSources(pod, { uid: "", name: "", namespace: "", sandboxes: [], containers })) context.crashes.next(crashKey(pod, findContainer(pod, name)!), finishedAt, context.clock.now());
}

/** Gives running containers, and the pod as a whole, what they were granted. */
async function resize(context: PodContext, pod: Pod, runtime: RuntimePod, state: PodState): Promise<"done" | "failed" | undefined> {
  const plan = context.resizer.plan(pod, runtime);
  if (!plan) return undefined;
  try {
    await applyResize(context, pod, plan);
  } catch (error) {
    context.resizer.failed(pod, errorText(error));
    wakeBy(state, context.clock.now() + resizeRetryMs);
    return "failed";
  }
  context.resizer.done(pod, plan);
  return "done";
}

async function kill(context: PodContext, pod: Pod, { container, reason }: ContainerToKill, podIp: string, signal: AbortSignal): Promise<void> {
  const spec = findContainer(pod, container.name);
  const probe = reason === "LivenessProbeFailed" ? spec?.livenessProbe : reason === "StartupProbeFailed" ? spec?.startupProbe : undefined;
  const again = spec && restartPolicyOf(pod, spec) !== "Never" ? ", will be restarted" : "";
  const what = { LivenessProbeFailed: `failed liveness probe${again}`, StartupProbeFailed: `failed startup probe${again}`, ContainerChanged: "definition changed, will be restarted", ResizeRestart: "resize requires restart", Unknown: "is in unknown state, try killing it before restart" }[reason];
  const graceSeconds = probe?.terminationGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30;
  await killContainer(context, pod, container, podIp, { graceSeconds, message: `Container ${container.name} ${what}`, signal });
}

async function setUpVolumes(context: PodContext, pod: Pod, state: PodState): Promise<PodVolumes | undefined> {
  try {
    const volumes = await context.volumes.setUp(pod);
    if (volumes.refreshAt !== undefined) wakeBy(state, volumes.refreshAt);
    return volumes;
  } catch (error) {
    if (error instanceof VolumePending) {
      wakeBy(state, context.clock.now() + error.patienceMs);
      return undefined;
    }
    if (!(error instanceof MountError)) throw error;
    context.recorder.event(podReference(pod), "Warning", error.reason, error.message);
    // The object it waits for wakes the pod when it appears; this is for everything else.
    wakeBy(state, context.clock.now() + mountRetryMs);
    return undefined;
  }
}

async function sandboxFor(context: PodContext, pod: Pod, runtime: RuntimePod, actions: PodActions): Promise<Sandbox | undefined> {
  if (!actions.createSandbox) {
    const current = currentSandbox(runtime);
    if (!current?.ready) return undefined;
    return { id: current.id, config: configOfSandbox(context, pod, current.attempt), ips: isHostNetwork(pod) ? context.nodeIps() : current.ips };
  }
  try {
    return await runSandbox(context, pod, actions.attempt);
  } catch (error) {
    context.recorder.event(podReference(pod), "Warning", "FailedCreatePodSandBox", `Failed to create pod sandbox: ${errorText(error)}`);
    throw error;
  }
}

async function start(context: PodContext, pod: Pod, container: Container, sandbox: Sandbox, volumes: PodVolumes, runtime: RuntimePod, state: PodState, signal: AbortSignal): Promise<boolean> {
  const ended = latestEnded(runtime, container.name);
  try {
    await startContainer(context, pod, container, sandbox, volumes, runtime, signal);
    state.waiting.delete(container.name);
    return true;
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    state.waiting.set(container.name, { reason: error.reason, message: error.message });
    wakeBy(state, error.retryAt ?? context.clock.now() + startRetryMs);
    // The runtime has a container then, dead, that the next look must see.
    return error.reason === "RunContainerError" || error.reason === "PostStartHookError";
  } finally {
    if (ended) context.crashes.next(crashKey(pod, container), ended.finishedAt, context.clock.now());
  }
}

function announceBackOff(context: PodContext, pod: Pod, { backOff }: PodActions, state: PodState): void {
  for (const { container, until } of backOff) {
    wakeBy(state, until);
    const delay = context.crashes.delay(crashKey(pod, container));
    const message = `back-off ${goDuration(delay)} restarting failed container=${container.name} pod=${podName(pod)}`;
    state.waiting.set(container.name, { reason: "CrashLoopBackOff", message });
    if (state.announced.get(container.name) === until) continue;
    state.announced.set(container.name, until);
    context.recorder.event(containerReference(pod, container), "Warning", "BackOff", `Back-off restarting failed container ${container.name} in pod ${podName(pod)}`);
  }
}

async function prune(context: PodContext, runtime: RuntimePod): Promise<void> {
  const { containers, sandboxes } = prunable(runtime);
  for (const { id, logPath } of containers) {
    await ignoreMissing(context.runtime.runtime.removeContainer({ containerId: id }));
    if (logPath && dirname(logPath).startsWith(context.logDir)) rmSync(logPath, { force: true });
  }
  for (const id of sandboxes) await ignoreMissing(context.runtime.runtime.removePodSandbox({ podSandboxId: id }));
}

/** Between tries of what nobody will tell us has become possible. */
const startRetryMs = 10_000;
const mountRetryMs = 10_000;
/** Memory that is in use today may be free later. */
const resizeRetryMs = 30_000;

function wakeBy(state: PodState, at: number): void {
  state.wakeAt = Math.min(state.wakeAt ?? Infinity, at);
}

/** `10s`, `1m20s`, `5m0s`, as Go prints durations. */
export function goDuration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
