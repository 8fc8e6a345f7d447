import type { Frozen } from "../../../src/apimachinery/meta.ts";
import type { ContainerState, ContainerStatus } from "../../../src/apis/generated/core/v1.ts";
import { initContainers, isInitContainer, isSidecar, type Container, type Pod } from "../pod/pod.ts";
import { restartsAfter } from "../pod/restart.ts";
import type { RuntimeContainer, RuntimePod } from "../runtime/runtime-status.ts";
import { containerResourceStatus } from "./container-resources.ts";

/** Why a container isn't running, from the last try to start it. */
export interface Waiting {
  reason: string;
  message?: string;
}

export interface ContainerView {
  /** The container's last failed start, if it has not started since. */
  waiting(name: string): Waiting | undefined;
  /** Whether the running container has passed its startup probe; true without one. */
  started(container: Container, id: string): boolean;
  /** Whether the running container passes its readiness probe; true without one. */
  ready(container: Container, id: string): boolean;
  /** The termination message of an ended container. */
  terminationMessage(container: RuntimeContainer): string;
  /** The devices that the container has, by resource; undefined when it has none. */
  devices?(name: string): ContainerStatus["allocatedResourcesStatus"];
  /** All containers are being started again because one of them has ended: what has been removed for that will come back. */
  restartsAll?: boolean;
  /** The pod is ending or has ended: nothing will be started any more. */
  finished: boolean;
}

const restartingAll = "RestartingAllContainers";

/** As metav1.Time is written. */
export const time = (milliseconds: number): string => `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;

/** One container as `status.containerStatuses` shows it. `old` is what the API has. Source: kubelet's convertToAPIContainerStatuses. */
export function containerStatus(pod: Pod, container: Container, runtime: RuntimePod, old: Frozen<ContainerStatus> | undefined, view: ContainerView): ContainerStatus {
  const history = runtime.containers.filter((candidate) => candidate.name === container.name);
  const [current, previous] = history;
  if (!current) return missing(pod, container, old, view);

  const status: ContainerStatus = {
    name: container.name, image: current.image || container.image || "", imageID: current.imageRef, containerID: `containerd://${current.id}`,
    restartCount: current.restartCount, ready: false, started: false, state: stateOf(current, view), lastState: {},
    ...containerResourceStatus(container, current, old), ...volumeMounts(container, current.recursivelyReadOnly),
  };
  if (previous?.state === "exited") status.lastState = stateOf(previous, view);
  else if (old?.lastState?.terminated) status.lastState = structuredClone(old.lastState) as ContainerState;

  const devices = view.devices?.(container.name);
  if (devices) status.allocatedResourcesStatus = devices;
  const waiting = view.waiting(container.name);
  if (current.state === "running") {
    status.started = view.started(container, current.id);
    status.ready = status.started && view.ready(container, current.id);
  } else if (current.state === "exited" && waiting && !view.finished && restartsAfter(pod, container, current.exitCode)) {
    status.lastState = status.state;
    status.state = { waiting };
  }
  if (isInitContainer(pod, container.name) && !isSidecar(container)) status.ready = status.state?.terminated?.exitCode === 0;
  return status;
}

/** Mounts by the names of their volumes; what is read-only below as well, the runtime says. */
function volumeMounts({ volumeMounts: mounts = [] }: Container, recursivelyReadOnly: readonly string[] = []): Pick<ContainerStatus, "volumeMounts"> {
  if (mounts.length === 0) return {};
  return { volumeMounts: mounts.map(({ name, mountPath, readOnly }) => ({ name, mountPath, ...(readOnly ? { readOnly, recursiveReadOnly: recursivelyReadOnly.includes(mountPath) ? "Enabled" : "Disabled" } : {}) })) };
}

function missing(pod: Pod, container: Container, old: Frozen<ContainerStatus> | undefined, view: ContainerView): ContainerStatus {
  if (view.restartsAll && old && !old.state?.waiting) {
    const message = "The container is removed because RestartAllContainers in place";
    return { ...waitingStatus(container, { reason: restartingAll, message }), restartCount: old.restartCount + 1, lastState: { terminated: { exitCode: 137, reason: restartingAll, message } } };
  }
  // What ended and has been cleaned away stays known; what ran and is nowhere to be found ended in a way nobody saw.
  if (old?.state?.terminated) return structuredClone(old) as ContainerStatus;
  if (old?.state?.running && view.finished) return structuredClone(old) as ContainerStatus;
  const waiting = view.waiting(container.name) ?? { reason: initContainers(pod).length > 0 ? "PodInitializing" : "ContainerCreating" };
  return { ...waitingStatus(container, waiting), restartCount: old?.restartCount ?? 0, lastState: old?.lastState ? (structuredClone(old.lastState) as ContainerState) : {} };
}

const waitingStatus = (container: Container, waiting: Waiting): ContainerStatus =>
  ({ name: container.name, image: container.image ?? "", imageID: "", ...volumeMounts(container), ready: false, started: false, restartCount: 0, state: { waiting } });

function stateOf(container: RuntimeContainer, view: ContainerView): ContainerState {
  switch (container.state) {
    case "running":
      return { running: { startedAt: time(container.startedAt) } };
    case "created":
      return { waiting: { reason: "ContainerCreating" } };
    default: {
      const unknown = container.state === "unknown";
      const message = view.terminationMessage(container);
      return {
        terminated: {
          exitCode: unknown ? 137 : container.exitCode, reason: unknown ? "ContainerStatusUnknown" : container.reason || (container.exitCode === 0 ? "Completed" : "Error"),
          ...(message ? { message } : {}),
          // A container that never started has ended when it was made.
          startedAt: time(container.startedAt || container.createdAt), finishedAt: time(container.finishedAt || container.createdAt),
          containerID: `containerd://${container.id}`,
        },
      };
    }
  }
}
