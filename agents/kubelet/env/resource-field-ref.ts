import type { Frozen } from "../../../src/apimachinery/meta.ts";
import { parseQuantity } from "../../../src/apimachinery/quantity.ts";
import type { ResourceFieldSelector } from "../../../src/apis/generated/core/v1.ts";
import { findContainer, type Container, type Pod } from "../pod/pod.ts";

/** What a container without a limit, in a pod without one, may use at most. */
export type Allocatable = Readonly<Record<string, string | number>>;

/** The value of a `resourceFieldRef`, divided and rounded up. Source: k8s.io/kubernetes/pkg/api/v1/resource ExtractContainerResourceValue. */
export function resourceFieldValue(pod: Pod, selector: Frozen<ResourceFieldSelector>, own: Container | undefined, allocatable: Allocatable): string {
  const container = selector.containerName ? findContainer(pod, selector.containerName) : own;
  if (!container) throw new Error(`container ${selector.containerName ?? ""} not found`);
  const [list, ...rest] = selector.resource.split(".");
  const name = rest.join(".");
  if (list !== "limits" && list !== "requests") throw new Error(`unsupported container resource : ${selector.resource}`);
  const limit = container.resources?.limits?.[name] ?? pod.spec.resources?.limits?.[name] ?? (name === "cpu" || name === "memory" || name === "ephemeral-storage" ? allocatable[name] : undefined);
  const quantity = list === "limits" ? limit : container.resources?.requests?.[name] ?? container.resources?.limits?.[name];
  return divideUp(quantity ?? 0, selector.divisor);
}

function divideUp(quantity: string | number, divisor: string | number | undefined): string {
  const dividend = parseQuantity(quantity).nano;
  const by = parseQuantity(divisor ?? "1").nano || 1_000_000_000n;
  return ((dividend + by - 1n) / by).toString();
}
