import type { Frozen } from "../apimachinery/meta.ts";
import { isNotFound } from "../apimachinery/status.ts";
import { formatTime } from "../apimachinery/time.ts";
import { pods } from "../apis/core/pod/pod.ts";
import type { Pod, PodCondition } from "../apis/generated/core/v1.ts";
import type { Client } from "../client/client.ts";
import type { EventRecorder } from "../client/recorder.ts";

export type FailureReason = "Unschedulable" | "SchedulerError";

/** Tells users why a pod has no node, by its PodScheduled condition and an Event, when it isn't what they were told before. */
export async function reportFailure(pod: Frozen<Pod>, reason: FailureReason, message: string, { client, recorder, now }: { client: Client; recorder: EventRecorder; now: number }): Promise<void> {
  const known = pod.status?.conditions?.find(({ type }) => type === "PodScheduled");
  if (known?.status === "False" && known.reason === reason && known.message === message) return;
  recorder.event(pod, "Warning", "FailedScheduling", message);
  const condition: PodCondition = {
    type: "PodScheduled", status: "False", reason, message, lastProbeTime: null,
    lastTransitionTime: known?.status === "False" && known.lastTransitionTime ? known.lastTransitionTime : formatTime(now),
    ...(pod.metadata.generation !== undefined ? { observedGeneration: pod.metadata.generation } : {}),
  };
  const { namespace, name, uid } = pod.metadata;
  try {
    await client.patch(pods, { namespace, name: name! }, { type: "application/strategic-merge-patch+json", body: { metadata: { uid }, status: { conditions: [condition] } } }, { subresource: "status" });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
