import { thaw, type Frozen } from "../../apimachinery/meta.ts";
import { services } from "../../apis/builtins.ts";
import type { Node, Pod, Service } from "../../apis/generated/core/v1.ts";
import type { Endpoint, EndpointPort, EndpointSlice } from "../../apis/generated/discovery/v1.ts";
import { newControllerRef } from "../controller-ref.ts";
import { isPodTerminal } from "../pod-status.ts";
import { addressesOf, familiesOf, headlessLabel, isHeadless, managedByLabel, serviceNameLabel, type IpFamily } from "../service-endpoints.ts";
import { endpointOf, hasNamedTargets, identityOf, portKey, portsOf, sameEndpoint } from "./endpoint.ts";

export const managedBy = "endpointslice-controller.k8s.io";
/** Endpoints in one slice at most: `--max-endpoints-per-slice`. */
export const maxEndpoints = 100;

/** What becomes of the slices of a service, of one address family. */
export interface SlicePlan {
  family: IpFamily;
  create: EndpointSlice[];
  /** Copies, changed. */
  update: EndpointSlice[];
  delete: Frozen<EndpointSlice>[];
  unchanged: Frozen<EndpointSlice>[];
}

export interface ServicePlan {
  families: SlicePlan[];
  /** Slices of families that the service has no more. */
  delete: Frozen<EndpointSlice>[];
  /** Pods left out because their node isn't there. */
  nodeless: Frozen<Pod>[];
}

/** Endpoints that share their ports: the contents of one or more slices. */
interface Group {
  ports: EndpointPort[];
  /** By identity. */
  endpoints: Map<string, Endpoint>;
}

/**
 * Brings a service's slices in line with its pods, changing as few slices as it can, because every agent is sent each changed one.
 * Hints are left as they are in slices that don't change, and missing from what is new in others. Source: k8s.io/endpointslice reconciler.go.
 */
export function planSlices(service: Frozen<Service>, pods: readonly Frozen<Pod>[], existing: readonly Frozen<EndpointSlice>[], nodeOf: (name: string) => Frozen<Node> | undefined): ServicePlan {
  const families = familiesOf(service);
  const nodeless = service.spec?.publishNotReadyAddresses ? [] : pods.filter((pod) => mayBeEndpoint(pod) && pod.spec.nodeName && !nodeOf(pod.spec.nodeName));
  const endpointPods = pods.filter((pod) => mayBeEndpoint(pod) && !nodeless.includes(pod));
  return {
    families: families.map((family) => planFamily(service, family, groupPods(service, family, endpointPods, nodeOf), existing.filter((slice) => slice.addressType === family))),
    delete: existing.filter((slice) => !families.includes(slice.addressType as IpFamily)),
    nodeless,
  };
}

const mayBeEndpoint = (pod: Frozen<Pod>): boolean => !isPodTerminal(pod) && addressesOf(pod).length > 0;

function groupPods(service: Frozen<Service>, family: IpFamily, pods: readonly Frozen<Pod>[], nodeOf: (name: string) => Frozen<Node> | undefined): Map<string, Group> {
  const groups = new Map<string, Group>();
  const same = hasNamedTargets(service) || pods.length === 0 ? undefined : portsOf(service, pods[0]!);
  const sameKey = same && portKey(same);
  for (const pod of pods) {
    const endpoint = endpointOf(service, family, pod, pod.spec.nodeName ? nodeOf(pod.spec.nodeName) : undefined);
    if (!endpoint) continue;
    const ports = same ?? portsOf(service, pod);
    const key = sameKey ?? portKey(ports);
    const group = groups.get(key) ?? { ports, endpoints: new Map() };
    groups.set(key, group);
    group.endpoints.set(identityOf(endpoint), endpoint);
  }
  return groups;
}

function planFamily(service: Frozen<Service>, family: IpFamily, groups: Map<string, Group>, existing: readonly Frozen<EndpointSlice>[]): SlicePlan {
  const labels = labelsOf(service);
  const plan: SlicePlan = { family, create: [], update: [], delete: [], unchanged: [] };
  // A slice of an earlier service of this name is being collected: it is no use to this one.
  const [owned, foreign] = partition(existing, (slice) => slice.metadata.ownerReferences?.some((ref) => ref.uid === service.metadata.uid) ?? false);
  const byPorts = Map.groupBy(owned, (slice) => portKey(slice.ports));
  for (const [key, group] of groups) {
    planGroup(service, family, labels, group, byPorts.get(key) ?? [], plan);
    byPorts.delete(key);
  }
  const unwanted = [...byPorts.values()].flat();
  if (plan.create.length + plan.update.length + plan.unchanged.length === 0) {
    // A service without endpoints has one empty slice.
    const [first, ...others] = [...plan.delete, ...unwanted];
    if (first && others.length === 0 && foreign.length === 0 && isPlaceholder(first, labels)) return { ...plan, delete: [], unchanged: [first] };
    plan.create.push(newSlice(service, family, labels, []));
  }
  plan.delete.push(...unwanted);
  recycle(plan);
  plan.delete.push(...foreign);
  // Created again, they would only meet the garbage collector, which removes them with their service.
  if (service.metadata.deletionTimestamp) plan.create = [];
  return plan;
}

const isPlaceholder = (slice: Frozen<EndpointSlice>, labels: Record<string, string>): boolean => slice.endpoints.length === 0 && (slice.ports ?? []).length === 0 && sameLabels(slice, labels);

interface Filled {
  slice: Frozen<EndpointSlice>;
  next: Endpoint[];
  changed: boolean;
}

function planGroup(service: Frozen<Service>, family: IpFamily, labels: Record<string, string>, { ports, endpoints }: Group, existing: readonly Frozen<EndpointSlice>[], plan: SlicePlan): void {
  const missing = new Map(endpoints);
  const slices = existing.map((slice): Filled => {
    const next: Endpoint[] = [];
    let changed = !sameLabels(slice, labels);
    for (const endpoint of slice.endpoints) {
      const id = identityOf(endpoint), wanted = missing.get(id);
      if (wanted) next.push(wanted);
      if (!wanted || !sameEndpoint(endpoint, wanted)) changed = true;
      missing.delete(id);
    }
    return { slice, next, changed };
  });
  const created = fill(slices, [...missing.values()]);
  for (const { slice, next, changed } of slices) {
    if (!changed) plan.unchanged.push(slice);
    else if (next.length === 0) plan.delete.push(slice);
    else {
      const copy = thaw<EndpointSlice>(slice);
      plan.update.push({ ...copy, metadata: { ...copy.metadata, labels }, endpoints: next });
    }
  }
  for (const contents of created) plan.create.push({ ...newSlice(service, family, labels, ports), endpoints: contents });
}

/**
 * Finds room for new endpoints: first in slices that change anyway, the fullest first; then, for what fits into one that would not
 * change, there, where the least room is left over; else in new slices, whose contents it returns.
 */
function fill(slices: readonly Filled[], rest: Endpoint[]): Endpoint[][] {
  for (const { next } of slices.filter((entry) => entry.changed && entry.next.length > 0).toSorted((a, b) => b.next.length - a.next.length)) next.push(...rest.splice(0, maxEndpoints - next.length));
  const created: Endpoint[][] = [];
  while (rest.length > 0) {
    const roomy = rest.length < maxEndpoints ? slices.filter((entry) => !entry.changed && entry.next.length + rest.length <= maxEndpoints).toSorted((a, b) => b.next.length - a.next.length)[0] : undefined;
    if (!roomy) created.push(rest.splice(0, maxEndpoints));
    else {
      roomy.next.push(...rest.splice(0));
      roomy.changed = true;
    }
  }
  return created;
}

/** A slice that would go is used for one that would come: a write less, and watchers see one change instead of two. */
function recycle(plan: SlicePlan): void {
  while (plan.create.length > 0 && plan.delete.length > 0) {
    const created = plan.create.pop()!;
    const reused = thaw<EndpointSlice>(plan.delete.shift()!);
    plan.update.push({ ...reused, metadata: { ...reused.metadata, labels: created.metadata.labels }, endpoints: created.endpoints, ports: created.ports });
  }
}

function partition<T>(all: readonly T[], belongs: (one: T) => boolean): [T[], T[]] {
  return [all.filter(belongs), all.filter((one) => !belongs(one))];
}

function labelsOf(service: Frozen<Service>): Record<string, string> {
  const { [headlessLabel]: _headless, [serviceNameLabel]: _name, [managedByLabel]: _manager, ...own } = service.metadata.labels ?? {};
  return { ...own, [serviceNameLabel]: service.metadata.name!, [managedByLabel]: managedBy, ...(isHeadless(service) ? { [headlessLabel]: "" } : {}) };
}

const sameLabels = (slice: Frozen<EndpointSlice>, labels: Record<string, string>): boolean => Bun.deepEquals(slice.metadata.labels ?? {}, labels);

function newSlice(service: Frozen<Service>, addressType: IpFamily, labels: Record<string, string>, ports: EndpointPort[]): EndpointSlice {
  return {
    apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice",
    metadata: { generateName: `${service.metadata.name}-`, namespace: service.metadata.namespace, labels, ownerReferences: [newControllerRef(services, service)] },
    addressType, endpoints: [], ports,
  };
}
