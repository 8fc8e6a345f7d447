import type { Frozen } from "../../../apimachinery/meta.ts";
import { addQuantities, compareQuantities, formatQuantity, parseQuantity, type Quantity } from "../../../apimachinery/quantity.ts";
import type { Container, Pod, PodSpec } from "../../generated/core/v1.ts";

type Amounts = Readonly<Record<string, string | number>>;

/** Resources that may be stated for the pod as a whole. */
export const isPodLevelResource = (name: string): boolean => name === "cpu" || name === "memory" || name.startsWith("hugepages-");

/** A sidecar: an init container that keeps running beside the others. */
export const isRestartableInitContainer = (container: Frozen<Container> | undefined): boolean => container?.restartPolicy === "Always";

/**
 * What the containers ask together: the sum of all that run at once, or the largest moment of initialisation where that is more.
 * Without overhead and pod-level resources. Amounts must parse; others count as nothing.
 */
export function aggregatedRequests(spec: Frozen<PodSpec>): Record<string, string> {
  const running = new Map<string, Quantity>();
  for (const container of spec.containers ?? []) addAll(running, container.resources?.requests);
  const sidecars = new Map<string, Quantity>(), peak = new Map<string, Quantity>();
  for (const container of spec.initContainers ?? []) {
    if (isRestartableInitContainer(container)) {
      addAll(running, container.resources?.requests);
      addAll(sidecars, container.resources?.requests);
      raise(peak, sidecars);
    } else {
      const moment = new Map(sidecars);
      addAll(moment, container.resources?.requests);
      raise(peak, moment);
    }
  }
  raise(running, peak);
  return Object.fromEntries([...running].map(([name, amount]) => [name, formatQuantity(amount)]));
}

/** All a node must have free for the pod: pod-level requests where given, else the containers', plus overhead. */
export function podRequests(pod: Frozen<Pod>): Record<string, string> {
  const total = new Map<string, Quantity>();
  addAll(total, { ...aggregatedRequests(pod.spec), ...pod.spec.resources?.requests });
  addAll(total, pod.spec.overhead);
  return Object.fromEntries([...total].map(([name, amount]) => [name, formatQuantity(amount)]));
}

function addAll(into: Map<string, Quantity>, amounts: Amounts | undefined): void {
  for (const [name, text] of Object.entries(amounts ?? {})) {
    const amount = parsed(text);
    if (amount) into.set(name, into.has(name) ? addQuantities(into.get(name)!, amount) : amount);
  }
}

function raise(into: Map<string, Quantity>, other: ReadonlyMap<string, Quantity>): void {
  for (const [name, amount] of other) if (!into.has(name) || compareQuantities(into.get(name)!, amount) < 0) into.set(name, amount);
}

function parsed(text: string | number): Quantity | undefined {
  try {
    return parseQuantity(text);
  } catch {
    return undefined;
  }
}
