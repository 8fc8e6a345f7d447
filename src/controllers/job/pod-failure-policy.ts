import type { Frozen } from "../../apimachinery/meta.ts";
import type { JobSpec, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyRule } from "../../apis/generated/batch/v1.ts";
import type { ContainerStatus, Pod, PodCondition } from "../../apis/generated/core/v1.ts";

export interface FailureVerdict {
  /** The first rule that matches decides; without one a failure counts. */
  action: PodFailurePolicyRule["action"];
  /** Why the whole job fails. */
  message?: string;
}

/** What the job's policy says of a pod that has failed. Source: matchPodFailurePolicy. */
export function judgeFailure({ podFailurePolicy }: Frozen<JobSpec>, pod: Frozen<Pod>): FailureVerdict {
  for (const [index, { action, onExitCodes, onPodConditions }] of (podFailurePolicy?.rules ?? []).entries()) {
    const matched = onExitCodes ? describeExit(pod, onExitCodes) : describeCondition(pod, onPodConditions ?? []);
    if (matched !== undefined) return action === "FailJob" ? { action, message: `${matched} matching FailJob rule at index ${index}` } : { action };
  }
  return { action: "Count" };
}

/** Whether the failure counts towards the limits. */
export const isCounted = (spec: Frozen<JobSpec>, pod: Frozen<Pod>): boolean => judgeFailure(spec, pod).action !== "Ignore";

function describeExit({ metadata, status }: Frozen<Pod>, requirement: Frozen<PodFailurePolicyOnExitCodesRequirement>): string | undefined {
  const container = [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])].find((one) => exitMatches(one, requirement));
  return container && `Container ${container.name} for pod ${metadata.namespace}/${metadata.name} failed with exit code ${container.state!.terminated!.exitCode}`;
}

function exitMatches({ name, state }: Frozen<ContainerStatus>, { containerName, operator, values }: Frozen<PodFailurePolicyOnExitCodesRequirement>): boolean {
  const exitCode = state?.terminated?.exitCode ?? 0;
  if (exitCode === 0 || (containerName !== undefined && containerName !== name)) return false;
  return values.includes(exitCode) === (operator === "In");
}

function describeCondition({ metadata, status }: Frozen<Pod>, patterns: readonly Frozen<Pick<PodCondition, "type" | "status">>[]): string | undefined {
  const condition = status?.conditions?.find((one) => patterns.some(({ type, status: wanted }) => one.type === type && one.status === wanted));
  return condition && `Pod ${metadata.namespace}/${metadata.name} has condition ${condition.type}`;
}
