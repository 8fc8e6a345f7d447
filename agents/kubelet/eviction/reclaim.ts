import type { ContainerRuntime } from "../../cri/cri.ts";
import { ContainerState } from "../../cri/generated/messages.ts";
import { podUidLabel } from "../runtime/labels.ts";
import { ignoreMissing } from "../runtime/runtime-status.ts";

/** Removes the containers of pods that have ended: of them nothing but logs and last words is left, which the API has. */
export async function removeEndedContainers({ runtime }: ContainerRuntime, hasEnded: (uid: string) => boolean): Promise<void> {
  const { containers = [] } = await runtime.listContainers({ filter: { state: { state: ContainerState.CONTAINER_EXITED } } });
  for (const { id, labels } of containers) {
    const uid = labels?.[podUidLabel];
    if (uid !== undefined && hasEnded(uid)) await ignoreMissing(runtime.removeContainer({ containerId: id }));
  }
}
