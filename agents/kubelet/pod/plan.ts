import { containerHash } from "../runtime/labels.ts";
import { currentSandbox, latestContainer, latestEnded, type RuntimeContainer, type RuntimePod, type RuntimeSandbox } from "../runtime/runtime-status.ts";
import { ephemeralContainers, findContainer, initContainers, isHostNetwork, isSidecar, type Container, type Pod } from "./pod.ts";
import { containersToReset, restartAllSources, restartPolicyOf, restartsAfter } from "./restart.ts";

/** What probes say of a running container; absent means no verdict yet, or no such probe. */
export interface ProbeVerdict {
  liveness?: "success" | "failure";
  startup?: "success" | "failure";
}

export interface ContainerToKill {
  container: RuntimeContainer;
  reason: "ContainerChanged" | "LivenessProbeFailed" | "StartupProbeFailed" | "ResizeRestart" | "Unknown";
}

/** What to do next for a pod that should run. Pure data: `sync.ts` does it. */
export interface PodActions {
  /** Stop everything first: the sandbox is lost or must be made anew. */
  killPod: boolean;
  createSandbox: boolean;
  /** The attempt number of a new sandbox, unique for the pod. */
  attempt: number;
  kill: readonly ContainerToKill[];
  /** To be started in this order, each waiting for the one before. */
  start: readonly Container[];
  /** To be ended, without grace, and removed in this order: one of them has ended in a way that starts all of them again. */
  reset: readonly RuntimeContainer[];
  /** Ended containers that wait for their back-off, and when that ends. */
  backOff: readonly { container: Container; until: number }[];
}

export interface PlanView {
  now: number;
  probes(containerId: string): ProbeVerdict;
  /** Milliseconds before a container that ended at `finishedAt` may start again. */
  backOffRemaining(container: Container, finishedAt: number): number;
  /** Whether the running container must be started anew to have the resources it was granted. */
  resizeRestarts?(running: RuntimeContainer): boolean;
}

/**
 * Decides the next step of a pod that is neither deleted nor finished.
 * Follows kubelet's computePodActions (pkg/kubelet/kuberuntime/kuberuntime_manager.go): sandbox, init containers in order, then the others at once.
 */
export function computePodActions(pod: Pod, runtime: RuntimePod, view: PlanView): PodActions {
  const resetting = planReset(pod, runtime, view);
  if (resetting) return resetting;
  const sandbox = currentSandbox(runtime);
  if (!sandbox || !usable(pod, runtime, sandbox)) return planNewSandbox(pod, runtime);

  const actions: Draft = { killPod: false, createSandbox: false, attempt: sandbox.attempt, kill: [], start: [], reset: [], backOff: [] };
  const own = runtime.containers.filter((container) => container.sandboxId === sandbox.id);
  const latest = (container: Container): RuntimeContainer | undefined => own.find((candidate) => candidate.name === container.name);
  const step = (container: Container): void => decide(pod, container, latest(container), latestEnded(runtime, container.name), view, actions);

  const initialized = pod.spec.containers.some((container) => latest(container) !== undefined);
  const initDone = planInit(pod, initialized, latest, step, view);
  for (const container of ephemeralContainers(pod)) if (!latest(container)) actions.start.push(container);
  if (initDone) pod.spec.containers.forEach(step);
  return actions;
}

/** Starts all containers again, from the first init container on, when one of them has ended so; where it does that often it waits, as any other would. */
function planReset(pod: Pod, runtime: RuntimePod, view: PlanView): PodActions | undefined {
  const sources = restartAllSources(pod, runtime);
  if (sources.length === 0) return undefined;
  const waiting = sources.map((source) => ({ container: findContainer(pod, source.name)!, remaining: view.backOffRemaining(findContainer(pod, source.name)!, source.finishedAt) }));
  const backOff = waiting.filter(({ remaining }) => remaining > 0).map(({ container, remaining }) => ({ container, until: view.now + remaining }));
  const reset = backOff.length > 0 ? [] : containersToReset(pod, runtime);
  return { killPod: false, createSandbox: false, attempt: currentSandbox(runtime)?.attempt ?? 0, kill: [], start: [], reset, backOff };
}

type Draft = { -readonly [K in keyof PodActions]: PodActions[K] extends readonly (infer E)[] ? E[] : PodActions[K] };

/** Never more than one sandbox, ready, of the right network mode, and with an address unless it shares the node's. */
function usable(pod: Pod, runtime: RuntimePod, sandbox: RuntimeSandbox): boolean {
  if (!sandbox.ready || runtime.sandboxes.filter((each) => each.ready).length > 1) return false;
  return sandbox.hostNetwork === isHostNetwork(pod) && (isHostNetwork(pod) || sandbox.ips.length > 0);
}

function planNewSandbox(pod: Pod, runtime: RuntimePod): PodActions {
  const attempt = runtime.sandboxes.length === 0 ? 0 : Math.max(...runtime.sandboxes.map((sandbox) => sandbox.attempt)) + 1;
  const nothing: PodActions = { killPod: true, createSandbox: false, attempt, kill: [], start: [], reset: [], backOff: [] };
  const startable = pod.spec.containers.filter((container) => {
    const ran = latestContainer(runtime, container.name);
    // Of a pod that is not to be restarted nothing more begins once something of it has run.
    return (ran !== undefined || runtime.containers.length === 0 || pod.spec.restartPolicy !== "Never" || container.restartPolicy !== undefined) && mayRunAgain(pod, container, ran);
  });
  // A pod whose containers have all ended for good needs no new sandbox.
  if (runtime.containers.length > 0 && startable.length === 0) return nothing;
  const first = initContainers(pod)[0];
  return { ...nothing, createSandbox: true, start: first ? [first] : startable };
}

/** Plans the init containers; true when the others may run. */
function planInit(pod: Pod, initialized: boolean, latest: (container: Container) => RuntimeContainer | undefined, step: (container: Container) => void, view: PlanView): boolean {
  for (const container of initContainers(pod)) {
    const current = latest(container);
    if (isSidecar(container)) {
      step(container);
      if (!initialized && !(current?.state === "running" && hasStarted(container, view.probes(current.id)))) return false;
    } else if (!initialized && !(current?.state === "exited" && current.exitCode === 0)) {
      step(container);
      return false;
    }
  }
  return true;
}

const hasStarted = (container: Container, probe: ProbeVerdict): boolean => !container.startupProbe || probe.startup === "success";

/** `ended` is the newest that has ended: `current` itself, or the one before it. */
function decide(pod: Pod, container: Container, current: RuntimeContainer | undefined, ended: RuntimeContainer | undefined, view: PlanView, actions: Draft): void {
  if (current?.state === "running") {
    const reason = killReason(container, current, view);
    if (!reason) return;
    actions.kill.push({ container: current, reason });
    // A changed container is replaced whatever the policy; one that failed a probe comes back as the policy says.
    const again = reason === "ContainerChanged" || reason === "ResizeRestart" || restartPolicyOf(pod, container) !== "Never";
    // Where the back-off after the end before this one still lasts, the next look finds the container ended and waits.
    if (again && !(ended && view.backOffRemaining(container, ended.finishedAt) > 0)) actions.start.push(container);
    return;
  }
  if (current?.state === "unknown") actions.kill.push({ container: current, reason: "Unknown" });
  if (!mayRunAgain(pod, container, current)) return;
  const remaining = current?.state === "exited" ? view.backOffRemaining(container, current.finishedAt) : 0;
  if (remaining > 0) actions.backOff.push({ container, until: view.now + remaining });
  else actions.start.push(container);
}

function killReason(container: Container, current: RuntimeContainer, view: PlanView): ContainerToKill["reason"] | undefined {
  const probe = view.probes(current.id);
  if (current.hash && current.hash !== containerHash(container)) return "ContainerChanged";
  if (probe.startup === "failure") return "StartupProbeFailed";
  if (probe.liveness === "failure") return "LivenessProbeFailed";
  return view.resizeRestarts?.(current) ? "ResizeRestart" : undefined;
}

/** Whether the restart policy lets a container start, given how it last ended. */
function mayRunAgain(pod: Pod, container: Container, current: RuntimeContainer | undefined): boolean {
  if (!current || current.state === "created" || current.state === "running") return true;
  return current.state === "unknown" ? restartPolicyOf(pod, container) !== "Never" : restartsAfter(pod, container, current.exitCode);
}
