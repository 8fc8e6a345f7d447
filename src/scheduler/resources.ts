import type { Frozen } from "../apimachinery/meta.ts";
import { milliValue, value } from "../apimachinery/quantity.ts";
import { isPodLevelResource, isRestartableInitContainer } from "../apis/core/pod/resources.ts";
import type { Container, ContainerStatus, Pod } from "../apis/generated/core/v1.ts";

/** Amounts by resource name: cpu in millicores, everything else in whole units (bytes, pods, devices). */
export type Resources = Map<string, number>;
export type ResourceList = Frozen<Record<string, string | number>> | undefined;

export const megabyte = 1024 * 1024;
/** What a container that asks for nothing is taken to use when nodes are scored. Source: kubernetes pkg/scheduler/util/pod_resources.go. */
export const nonZeroDefaults: ReadonlyMap<string, number> = new Map([["cpu", 100], ["memory", 200 * megabyte]]);

export function parseResources(list: ResourceList): Resources {
  const amounts: Resources = new Map();
  for (const name in list) amounts.set(name, amountOf(name, list[name]!));
  return amounts;
}

const factors: Readonly<Record<string, number>> = { m: 0.001, Ki: 1024, Mi: megabyte, Gi: 1024 * megabyte };

/** Nearly all quantities are short and plain: those are read without big integers. */
function amountOf(name: string, quantity: string | number): number {
  const plain = /^(\d{1,6})(m|[KMG]i)?$/.exec(String(quantity));
  if (!plain) return name === "cpu" ? milliValue(quantity) : value(quantity);
  const units = Number(plain[1]) * (plain[2] ? factors[plain[2]]! : 1);
  return name === "cpu" ? Math.round(units * 1000) : Math.ceil(units);
}

/** Adds `amounts`, or with sign -1 takes them away. */
export function addResources(sum: Resources, amounts: ReadonlyMap<string, number>, sign: 1 | -1 = 1): void {
  for (const [name, amount] of amounts) sum.set(name, (sum.get(name) ?? 0) + sign * amount);
}

function raiseTo(least: Resources, amounts: ReadonlyMap<string, number>): void {
  for (const [name, amount] of amounts) if (amount > (least.get(name) ?? -1)) least.set(name, amount);
}

/**
 * What a pod needs of its node: the larger of what its containers use together, sidecars included, and what any init container uses beside
 * the sidecars started before it; pod-level requests in place of those they name; plus the overhead. While a pod is being resized, the most
 * of what is asked, allocated and in use; without what is asked when the node can never give it. `missing` is counted for each container that
 * doesn't name the resource. Source: k8s.io/component-helpers/resource (PodRequests with UseStatusResources).
 */
export function podRequests(pod: Frozen<Pod>, missing: ReadonlyMap<string, number> = new Map()): Resources {
  const { spec, status } = pod;
  const infeasible = isResizeInfeasible(pod);
  const of = (container: Frozen<Container>, statuses: readonly Frozen<ContainerStatus>[] | undefined): Resources => {
    const found = statuses?.find(({ name }) => name === container.name);
    const requests = parseResources(container.resources?.requests);
    const effective = found?.resources ? mostOf(infeasible ? undefined : requests, found.resources.requests, found.allocatedResources) : requests;
    for (const [name, amount] of missing) if (!effective.has(name)) effective.set(name, amount);
    return effective;
  };
  const total: Resources = new Map();
  for (const container of spec.containers) addResources(total, of(container, status?.containerStatuses));
  const sidecars: Resources = new Map();
  const peak: Resources = new Map();
  for (const container of spec.initContainers ?? []) {
    if (isRestartableInitContainer(container)) {
      const requests = of(container, status?.initContainerStatuses);
      addResources(total, requests);
      addResources(sidecars, requests);
      raiseTo(peak, sidecars);
    } else {
      const requests = of(container, undefined);
      addResources(requests, sidecars);
      raiseTo(peak, requests);
    }
  }
  raiseTo(total, peak);
  for (const [name, amount] of podLevelRequests(pod, infeasible)) total.set(name, amount);
  addResources(total, parseResources(spec.overhead));
  return total;
}

function podLevelRequests({ spec, status }: Frozen<Pod>, infeasible: boolean): Resources {
  const requests = parseResources(spec.resources?.requests);
  for (const name of requests.keys()) if (!isPodLevelResource(name)) requests.delete(name);
  if (requests.size === 0 || !status?.resources) return requests;
  const most = mostOf(infeasible ? undefined : requests, status.resources.requests, status.allocatedResources);
  for (const name of requests.keys()) requests.set(name, most.get(name) ?? 0);
  return requests;
}

function mostOf(asked: Resources | undefined, ...lists: readonly ResourceList[]): Resources {
  const most: Resources = new Map(asked);
  for (const list of lists) raiseTo(most, parseResources(list));
  return most;
}

const isResizeInfeasible = ({ status }: Frozen<Pod>): boolean => status?.conditions?.find(({ type }) => type === "PodResizePending")?.reason === "Infeasible";

/**
 * cpu and memory as they count in scores: containers that ask for nothing count as small ones, but for resources that are asked for the pod
 * as a whole. Source: kubernetes pkg/scheduler/framework (PodInfo.CalculateResource).
 */
export function nonZeroRequests(pod: Frozen<Pod>, requests: Resources): Resources {
  const podLevel = Object.keys(pod.spec.resources?.requests ?? {}).some(isPodLevelResource);
  const missing = podLevel ? new Map([...nonZeroDefaults].filter(([name]) => !requests.has(name))) : nonZeroDefaults;
  const all = missing.size > 0 ? podRequests(pod, missing) : requests;
  return new Map([["cpu", all.get("cpu") ?? 0], ["memory", all.get("memory") ?? 0]]);
}
