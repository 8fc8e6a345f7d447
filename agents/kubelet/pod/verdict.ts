/** Why a pod is ended though nobody has deleted it: it is Failed then. */
export interface Verdict {
  reason: string;
  message: string;
  /** Where the kubelet ends the pod for the sake of others: what its condition DisruptionTarget says. */
  disruption?: string;
}
