import type { Frozen } from "../../../apimachinery/meta.ts";
import { compareQuantities } from "../../../apimachinery/quantity.ts";
import type { Pod, ResourceRequirements } from "../../generated/core/v1.ts";

export type QOSClass = "Guaranteed" | "Burstable" | "BestEffort";

/** The quality-of-service class that a pod's requests and limits of CPU and memory give it; amounts must have been validated. */
export function qosClassOf(pod: Frozen<Pod>): QOSClass {
  const { resources, containers, initContainers = [] } = pod.spec;
  const whole = resources && (Object.keys(resources.requests ?? {}).length > 0 || Object.keys(resources.limits ?? {}).length > 0);
  const all: Frozen<ResourceRequirements>[] = whole ? [resources] : [...containers, ...initContainers].map((container) => container.resources ?? {});
  if (!all.some(({ requests, limits }) => computed.some((name) => isPositive(requests?.[name]) || isPositive(limits?.[name])))) return "BestEffort";
  return all.every(isGuaranteed) ? "Guaranteed" : "Burstable";
}

const computed = ["cpu", "memory"] as const;
const isPositive = (amount: string | number | undefined): boolean => amount !== undefined && compareQuantities(amount, "0") > 0;

function isGuaranteed({ requests, limits }: Frozen<ResourceRequirements>): boolean {
  return computed.every((name) => isPositive(limits?.[name]) && compareQuantities(requests?.[name] ?? limits![name]!, limits![name]!) === 0);
}
