import type { PodStatus } from "../../../src/apis/generated/core/v1.ts";
import { qosClassOf } from "../../../src/apis/core/pod/qos.ts";
import type { Rejection } from "../pod/admission.ts";
import type { Pod } from "../pod/pod.ts";
import { time } from "./container-status.ts";

/** The status of a pod that its node did not take: it has ended before it began. Source: kubelet's rejectPod. */
export function rejectedStatus(pod: Pod, { reason, message }: Rejection, now: number): PodStatus {
  const { status, metadata: { generation } } = pod;
  return {
    phase: "Failed", reason, message: `Pod was rejected: ${message}`, qosClass: status?.qosClass ?? qosClassOf(pod), startTime: status?.startTime ?? time(now),
    ...(generation === undefined ? {} : { observedGeneration: generation }),
  };
}
