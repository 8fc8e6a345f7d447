import type { Frozen } from "../apimachinery/meta.ts";
import { milliValue, value } from "../apimachinery/quantity.ts";
import { isPodLevelResource, isRestartableInitContainer } from "../apis/core/pod/resources.ts";
import type { Container, Pod } from "../apis/generated/core/v1.ts";

/** Amounts by resource name: cpu in millicores, everything else in whole units (bytes, pods, devices). */
export type Resources = Map<string, number>;
export type ResourceList = Frozen<Record<string, string | number>> | undefined;

export const megabyte = 1024 * 1024;
/** What a container that asks for nothing is taken to use when nodes are scored. Source: kubernetes pkg/scheduler/util/pod_resources.go. */
const nonZeroDefaults: Readonly<Record<string, number>> = { cpu: 100, memory: 200 * megabyte };

export function parseResources(list: ResourceList): Resources {
  const amounts: Resources = new Map();
  for (const name in list) amounts.set(name, name === "cpu" ? milliValue(list[name]!) : value(list[name]!));
  return amounts;
}

/** Adds `amounts`, or with sign -1 takes them away. */
export function addResources(sum: Resources, amounts: ReadonlyMap<string, number>, sign: 1 | -1 = 1): void {
  for (const [name, amount] of amounts) sum.set(name, (sum.get(name) ?? 0) + sign * amount);
}

function raiseTo(least: Resources, amounts: ReadonlyMap<string, number>): void {
  for (const [name, amount] of amounts) if (amount > (least.get(name) ?? 0)) least.set(name, amount);
}

/**
 * What a pod needs of its node: the larger of what its containers use together, sidecars included, and what any init container uses beside
 * the sidecars started before it; pod-level requests in place of those they name; plus the overhead. `nonZero` counts a container without
 * requests as a small one. Source: k8s.io/component-helpers/resource (PodRequests).
 */
export function podRequests({ spec }: Frozen<Pod>, { nonZero = false }: { nonZero?: boolean } = {}): Resources {
  const of = (container: Frozen<Container>): Resources => containerRequests(container, nonZero);
  const total: Resources = new Map();
  for (const container of spec.containers) addResources(total, of(container));
  const sidecars: Resources = new Map();
  const peak: Resources = new Map();
  for (const container of spec.initContainers ?? []) {
    const requests = of(container);
    if (isRestartableInitContainer(container)) {
      addResources(total, requests);
      addResources(sidecars, requests);
      raiseTo(peak, sidecars);
    } else {
      addResources(requests, sidecars);
      raiseTo(peak, requests);
    }
  }
  raiseTo(total, peak);
  for (const [name, amount] of parseResources(spec.resources?.requests)) if (isPodLevelResource(name)) total.set(name, amount);
  addResources(total, parseResources(spec.overhead));
  return total;
}

function containerRequests({ resources }: Frozen<Container>, nonZero: boolean): Resources {
  const requests = parseResources(resources?.requests);
  if (nonZero) for (const name in nonZeroDefaults) if (!requests.has(name)) requests.set(name, nonZeroDefaults[name]!);
  return requests;
}
