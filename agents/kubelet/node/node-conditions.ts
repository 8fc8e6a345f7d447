import type { Frozen } from "../../../src/apimachinery/meta.ts";
import type { NodeCondition } from "../../../src/apis/generated/core/v1.ts";
import type { RuntimeStatus } from "../../cri/generated/messages.ts";
import type { Pressure } from "../eviction/thresholds.ts";
import { time } from "../status/container-status.ts";

export interface NodeHealth {
  pressures: readonly Pressure[];
  /** Why no pod is to come any more. */
  goingDown?: string | undefined;
  /** Undefined when the runtime does not answer; `runtimeError` says why. */
  runtime?: RuntimeStatus;
  runtimeError?: string;
  now: number;
}

/** The kubelet's own conditions; transition times are kept from `old`. Source: k8s.io/kubernetes/pkg/kubelet/nodestatus/setters.go, reasons and messages alike. */
export function nodeConditions(old: readonly Frozen<NodeCondition>[], health: NodeHealth): NodeCondition[] {
  const { pressures, now } = health;
  const problem = notReady(health);
  return [
    verdict("MemoryPressure", pressures.includes("MemoryPressure"), ["KubeletHasInsufficientMemory", "kubelet has insufficient memory available"], ["KubeletHasSufficientMemory", "kubelet has sufficient memory available"]),
    verdict("DiskPressure", pressures.includes("DiskPressure"), ["KubeletHasDiskPressure", "kubelet has disk pressure"], ["KubeletHasNoDiskPressure", "kubelet has no disk pressure"]),
    verdict("PIDPressure", pressures.includes("PIDPressure"), ["KubeletHasInsufficientPID", "kubelet has insufficient PID available"], ["KubeletHasSufficientPID", "kubelet has sufficient PID available"]),
    verdict("Ready", problem === undefined, ["KubeletReady", "kubelet is posting ready status"], ["KubeletNotReady", problem ?? ""]),
  ].map((condition): NodeCondition => {
    const before = old.find(({ type }) => type === condition.type);
    return { ...condition, lastHeartbeatTime: time(now), lastTransitionTime: before?.status === condition.status && before.lastTransitionTime ? before.lastTransitionTime : time(now) };
  });
}

function verdict(type: string, holds: boolean, yes: [string, string], no: [string, string]): NodeCondition {
  const [reason, message] = holds ? yes : no;
  return { type, status: holds ? "True" : "False", reason, message };
}

/** Why no pod can run here; undefined when all is well. */
function notReady({ goingDown, runtime, runtimeError }: NodeHealth): string | undefined {
  if (goingDown) return goingDown;
  if (!runtime) return `[container runtime is down: ${runtimeError ?? "unknown"}]`;
  const problems = [["RuntimeReady", "container runtime not ready"], ["NetworkReady", "container runtime network not ready"]].flatMap(([type, text]) => {
    const condition = runtime.conditions?.find((each) => each.type === type);
    return condition?.status ? [] : [`${text}: ${type}=false reason:${condition?.reason ?? ""} message:${condition?.message ?? ""}`];
  });
  return problems.length === 0 ? undefined : problems.join(", ");
}
