import type { Frozen } from "../../src/apimachinery/meta.ts";
import type { ContainerStateTerminated, ContainerStatus } from "../../src/apis/generated/core/v1.ts";
import { findContainer, type Pod } from "../kubelet/pod/pod.ts";
import { containerHash } from "../kubelet/runtime/labels.ts";
import type { RuntimeContainer } from "../kubelet/runtime/runtime-status.ts";

/** The containers that the pod's status tells of, for a pod that was played before; newest first. */
export function adoptedContainers(pod: Pod): RuntimeContainer[] {
  const { initContainerStatuses = [], containerStatuses = [], ephemeralContainerStatuses = [] } = pod.status ?? {};
  return [...initContainerStatuses, ...containerStatuses, ...ephemeralContainerStatuses].flatMap((status) => containersOf(pod, status));
}

function containersOf(pod: Pod, status: Frozen<ContainerStatus>): RuntimeContainer[] {
  const container = findContainer(pod, status.name);
  if (!container) return [];
  const fixed = {
    sandboxId: "", name: status.name, exitCode: 0, reason: "", message: "", image: status.image, imageRef: status.imageID, logPath: "", finishedAt: 0,
    // What runs may be of an image the spec names no more.
    hash: status.image === container.image ? containerHash(container) : "changed",
  };
  const ended = ({ exitCode, reason = "", startedAt, finishedAt, containerID }: Frozen<ContainerStateTerminated>, restartCount: number): RuntimeContainer =>
    ({ ...fixed, id: idOf(containerID), state: "exited", exitCode, reason, createdAt: at(startedAt), startedAt: at(startedAt), finishedAt: at(finishedAt), restartCount });
  const found: RuntimeContainer[] = [];
  const { state, lastState, restartCount } = status;
  if (state?.running) found.push({ ...fixed, id: idOf(status.containerID), state: "running", createdAt: at(state.running.startedAt), startedAt: at(state.running.startedAt), restartCount });
  else if (state?.terminated) found.push(ended(state.terminated, restartCount));
  if (lastState?.terminated) found.push(ended(lastState.terminated, Math.max(0, restartCount - (found.length > 0 ? 1 : 0))));
  return found;
}

const at = (time: string | null | undefined): number => (time ? Date.parse(time) : 0);
const idOf = (id: string | undefined): string => (id ?? "").slice("containerd://".length);
