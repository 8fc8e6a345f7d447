import type { Frozen } from "../apimachinery/meta.ts";
import { isNotFound } from "../apimachinery/status.ts";
import { pods } from "../apis/core/pod/pod.ts";
import type { Pod } from "../apis/generated/core/v1.ts";
import type { Client } from "../client/client.ts";
import { conditionPatch } from "./pod-condition.ts";

export type FailureReason = "Unschedulable" | "SchedulerError";

export interface Failure {
  reason: FailureReason;
  message: string;
  /** The node that others leave for it; "" takes an earlier one back; undefined leaves it. */
  nominate?: string;
}

/** Tells users why a pod has no node, by its PodScheduled condition, and which it may get, when that isn't what the pod says already. */
export async function reportFailure(pod: Frozen<Pod>, failure: Failure, { client, now }: { client: Client; now: number }): Promise<void> {
  const status = { ...unscheduledPatch(pod, failure, now), ...nominationPatch(pod, failure.nominate) };
  if (Object.keys(status).length > 0) await patchStatus(pod, status, client);
}

/** Says which node the pod is about to get, before something that may take long. */
export async function reportNomination(pod: Frozen<Pod>, nodeName: string, client: Client): Promise<void> {
  const status = nominationPatch(pod, nodeName);
  if (Object.keys(status).length > 0) await patchStatus(pod, status, client);
}

function unscheduledPatch(pod: Frozen<Pod>, { reason, message }: Failure, now: number): Record<string, unknown> {
  const known = pod.status?.conditions?.find(({ type }) => type === "PodScheduled");
  const told = known?.status === "False" && known.reason === reason && known.message === message;
  return told ? {} : conditionPatch(pod, { type: "PodScheduled", status: "False", reason, message }, now);
}

const nominationPatch = ({ status }: Frozen<Pod>, nominate: string | undefined): { nominatedNodeName?: string | null } =>
  nominate === undefined || nominate === (status?.nominatedNodeName ?? "") ? {} : { nominatedNodeName: nominate || null };

async function patchStatus({ metadata: { namespace, name, uid } }: Frozen<Pod>, status: Record<string, unknown>, client: Client): Promise<void> {
  try {
    await client.patch(pods, { namespace, name: name! }, { type: "application/strategic-merge-patch+json", body: { metadata: { uid }, status } }, { subresource: "status" });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/** Source: kubernetes pkg/apis/core/validation (NoteLengthLimit). */
const longestNote = 1024;

export const truncated = (message: string): string => (message.length <= longestNote ? message : `${message.slice(0, longestNote - 4)} ...`);
