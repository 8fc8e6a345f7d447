import type { Frozen, KubeObject } from "../../../apimachinery/meta.ts";
import { addQuantities, compareQuantities, type Quantity } from "../../../apimachinery/quantity.ts";
import type { Container, ContainerStatus, Pod, PodAffinityTerm, PodSpec, ResourceRequirements } from "../../generated/core/v1.ts";
import { qosClassOf } from "../pod/qos.ts";
import { aggregatedRequests } from "../pod/resources.ts";
import { add, amountsOf, countOf, type Amounts } from "./amounts.ts";
import { matchesValue, type QuotaEvaluator, type ScopeSelector } from "./evaluator.ts";

const computed = ["cpu", "memory", "ephemeral-storage"];
const fixedNames = new Set(["count/pods", "pods", ...computed, ...computed.flatMap((name) => [`requests.${name}`, `limits.${name}`])]);
/** A quota on these wants every container to state them. */
const mustBeStated = new Set(["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"]);

/** Pods: their number, and what they request and limit. Source: kubernetes pkg/quota/v1/evaluator/core/pods.go. */
export const podQuota: QuotaEvaluator = {
  group: "", resource: "pods",
  matching: (names) => names.filter((name) => fixedNames.has(name) || name.startsWith("hugepages-") || name.startsWith("requests.hugepages-") || isExtendedRequest(name)),
  handles({ operation, subresource, object, oldObject }) {
    if (subresource === "resize") return operation === "UPDATE";
    if (subresource !== "") return false;
    return operation === "CREATE" || (operation === "UPDATE" && isTerminating(object) !== isTerminating(oldObject));
  },
  usage(object, now) {
    const pod = object as Frozen<Pod>;
    const count: Amounts = new Map([["count/pods", countOf(1)]]);
    return usesResources(pod, now) ? add(count, podUsage(pod)) : count;
  },
  matchesScope(selector, object) {
    const pod = object as Frozen<Pod>;
    switch (selector.scopeName) {
      case "Terminating": return isTerminating(pod);
      case "NotTerminating": return !isTerminating(pod);
      case "BestEffort": return qosClassOf(pod) === "BestEffort";
      case "NotBestEffort": return qosClassOf(pod) !== "BestEffort";
      case "PriorityClass": return matchesPriorityClass(selector, pod.spec.priorityClassName);
      case "CrossNamespacePodAffinity": return reachesOtherNamespaces(pod.spec);
      default: return false;
    }
  },
  missing(names, object) {
    const pod = object as Frozen<Pod>;
    if (Object.keys(pod.spec.resources?.requests ?? {}).length || Object.keys(pod.spec.resources?.limits ?? {}).length) return undefined;
    const wanted = names.filter((name) => mustBeStated.has(name)).sort();
    const texts = wanted.flatMap((name) => {
      const silent = [...pod.spec.containers, ...pod.spec.initContainers ?? []].filter((container) => !containerUsage(container.resources).has(name)).map((container) => container.name);
      return silent.length ? [`${name} for: ${[...new Set(silent)].sort().join(",")}`] : [];
    });
    return texts.length ? `must specify ${texts.join("; ")}` : undefined;
  },
  released(old, current, now) {
    const before = old as Frozen<Pod>, after = current as Frozen<Pod>;
    return isTerminating(before) !== isTerminating(after) || (usesResources(before, now) && !usesResources(after, now)) || resourcesDiffer(before, after);
  },
};

/** An extended resource, or one that a device class stands for, as quotas name it. */
function isExtendedRequest(name: string): boolean {
  if (!name.startsWith("requests.")) return false;
  const resource = name.slice("requests.".length);
  return resource.startsWith("deviceclass.resource.kubernetes.io/") || isExtendedResource(resource);
}

const isExtendedResource = (name: string): boolean => name.includes("/") && !name.includes("kubernetes.io/");

function isTerminating(object: Frozen<KubeObject> | undefined): boolean {
  const deadline = (object as Frozen<Pod> | undefined)?.spec.activeDeadlineSeconds;
  return deadline !== undefined && deadline >= 0;
}

/** A pod that has ended, or should have been gone by now, holds nothing. */
function usesResources({ metadata, status }: Frozen<Pod>, now: number): boolean {
  if (status?.phase === "Failed" || status?.phase === "Succeeded") return false;
  const { deletionTimestamp, deletionGracePeriodSeconds } = metadata;
  return !deletionTimestamp || deletionGracePeriodSeconds === undefined || now <= Date.parse(deletionTimestamp) + deletionGracePeriodSeconds * 1000;
}

function podUsage(pod: Frozen<Pod>): Amounts {
  const spec = withAllocated(pod);
  const overhead = amountsOf(pod.spec.overhead);
  const requests = add(overridden(aggregatedRequests(spec), pod.spec.resources?.requests), overhead);
  const limits = overridden(aggregatedRequests(limitsAsRequests(spec)), pod.spec.resources?.limits);
  const withOverhead = new Map([...limits].map(([name, amount]) => [name, overhead.has(name) && amount.nano !== 0n ? addQuantities(amount, overhead.get(name)!) : amount]));
  return usageOf(requests, withOverhead);
}

const overridden = (sum: Record<string, string>, podLevel: Frozen<Record<string, string | number>> | undefined): Amounts => new Map([...amountsOf(sum), ...amountsOf(podLevel)]);

type Resources = Pick<ResourceRequirements, "requests" | "limits">;
const limitsAsRequests = ({ containers, initContainers }: Frozen<PodSpec>): Frozen<PodSpec> => {
  const turn = (list: readonly Frozen<Container>[] | undefined) => list?.map((container) => ({ ...container, resources: { requests: container.resources?.limits } }));
  return { containers: turn(containers)!, initContainers: turn(initContainers) } as Frozen<PodSpec>;
};

/** While a pod is being resized it counts with the larger of what it asks and what it still holds. */
function withAllocated({ spec, status }: Frozen<Pod>): Frozen<PodSpec> {
  const turn = (list: readonly Frozen<Container>[] | undefined, statuses: readonly Frozen<ContainerStatus>[] | undefined) => {
    if (!statuses?.some(({ resources }) => resources)) return list;
    return list?.map((container) => {
      const held = statuses.find(({ name }) => name === container.name);
      return held?.resources ? { ...container, resources: { requests: larger(container.resources?.requests, held.resources.requests), limits: larger(container.resources?.limits, held.resources.limits) } } : container;
    });
  };
  return { ...spec, containers: turn(spec.containers, status?.containerStatuses)!, initContainers: turn(spec.initContainers, status?.initContainerStatuses) } as Frozen<PodSpec>;
}

function larger(asked: Frozen<Resources["requests"]>, held: Frozen<Resources["requests"]>): Frozen<Resources["requests"]> {
  const result: Record<string, string | number> = { ...asked };
  for (const [name, amount] of Object.entries(held ?? {})) if (result[name] === undefined || compareQuantities(result[name], amount) < 0) result[name] = amount;
  return result;
}

const containerUsage = (resources: Frozen<Resources> | undefined): Amounts => usageOf(amountsOf(resources?.requests), amountsOf(resources?.limits));

function usageOf(requests: Amounts, limits: Amounts): Amounts {
  const usage = new Map<string, Quantity>([["pods", countOf(1)]]);
  for (const [name, amount] of requests) {
    const plain = computed.includes(name) || name.startsWith("hugepages-");
    if (plain) usage.set(name, amount);
    if (plain || isExtendedResource(name) || name.startsWith("deviceclass.resource.kubernetes.io/")) usage.set(`requests.${name}`, amount);
  }
  for (const name of computed) if (limits.has(name)) usage.set(`limits.${name}`, limits.get(name)!);
  return usage;
}

const matchesPriorityClass = (selector: ScopeSelector, name: string | undefined): boolean => matchesValue(selector, name || undefined);

function reachesOtherNamespaces({ affinity }: Frozen<PodSpec>): boolean {
  const crosses = (term: Frozen<PodAffinityTerm>): boolean => Boolean(term.namespaces?.length) || term.namespaceSelector !== undefined;
  return [affinity?.podAffinity, affinity?.podAntiAffinity].some((each) =>
    each?.requiredDuringSchedulingIgnoredDuringExecution?.some(crosses) || each?.preferredDuringSchedulingIgnoredDuringExecution?.some(({ podAffinityTerm }) => crosses(podAffinityTerm)));
}

function resourcesDiffer({ status: before }: Frozen<Pod>, { status: after }: Frozen<Pod>): boolean {
  if (before?.containerStatuses === after?.containerStatuses && before?.initContainerStatuses === after?.initContainerStatuses) return false;
  const differ = (old: readonly Frozen<ContainerStatus>[] = [], current: readonly Frozen<ContainerStatus>[] = []): boolean =>
    old.some(({ name, resources }) => current.some((status) => status.name === name && !Bun.deepEquals(status.resources, resources)));
  return differ(before?.containerStatuses, after?.containerStatuses) || differ(before?.initContainerStatuses, after?.initContainerStatuses);
}
