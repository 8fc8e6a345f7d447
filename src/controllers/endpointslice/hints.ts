import { thaw, type Frozen } from "../../apimachinery/meta.ts";
import type { Service } from "../../apis/generated/core/v1.ts";
import type { Endpoint, EndpointHints, EndpointSlice } from "../../apis/generated/discovery/v1.ts";
import type { SlicePlan } from "./plan.ts";

export const isReady = (endpoint: Frozen<Endpoint>): boolean => endpoint.conditions?.ready === true;

/** Whether hints are shared out by the zones' processors; the older annotation wins. */
export function wantsTopologyHints({ metadata: { annotations } }: Frozen<Service>): boolean {
  const mode = annotations?.["service.kubernetes.io/topology-aware-hints"] ?? annotations?.["service.kubernetes.io/topology-mode"];
  return mode === "Auto" || mode === "auto";
}

const distributions = ["PreferClose", "PreferSameZone", "PreferSameNode"];

/** The traffic distribution that hints are to express; undefined for none. The annotation of topology-aware routing has precedence. */
export function trafficDistributionOf(service: Frozen<Service>): string | undefined {
  const wanted = service.spec?.trafficDistribution;
  return wanted && distributions.includes(wanted) && !wantsTopologyHints(service) ? wanted : undefined;
}

/** Takes a slice from those that don't change to those that do. */
export function touch(plan: SlicePlan, slice: Frozen<EndpointSlice>): EndpointSlice {
  const copy = thaw<EndpointSlice>(slice);
  plan.unchanged = plan.unchanged.filter((one) => one !== slice);
  plan.update.push(copy);
  return copy;
}

/** Leaves no hint in any slice. */
export function removeHints(plan: SlicePlan): void {
  for (const slice of plan.unchanged) if (slice.endpoints.some(({ hints }) => hints !== undefined)) touch(plan, slice);
  for (const { endpoints } of [...plan.create, ...plan.update]) for (const endpoint of endpoints) delete endpoint.hints;
}

/**
 * Every ready endpoint is for clients of its own zone, and with PreferSameNode of its own node. Changes only slices whose hints say
 * otherwise, and those that change anyway. Source: k8s.io/endpointslice/trafficdist.
 */
export function hintCloseness(plan: SlicePlan, distribution: string): void {
  const sameNode = distribution === "PreferSameNode";
  for (const slice of plan.unchanged) if (slice.endpoints.some((endpoint) => isReady(endpoint) && !saysSame(endpoint.hints, ownHints(endpoint, sameNode)))) touch(plan, slice);
  for (const { endpoints } of [...plan.create, ...plan.update]) {
    for (const endpoint of endpoints) {
      if (!isReady(endpoint)) continue;
      const hints = ownHints(endpoint, sameNode);
      if (hints) endpoint.hints = hints;
      else delete endpoint.hints;
    }
  }
}

function ownHints({ zone, nodeName }: Frozen<Endpoint>, sameNode: boolean): EndpointHints | undefined {
  const hints: EndpointHints = { ...(zone !== undefined ? { forZones: [{ name: zone }] } : {}), ...(sameNode && nodeName !== undefined ? { forNodes: [{ name: nodeName }] } : {}) };
  return hints.forZones || hints.forNodes ? hints : undefined;
}

const names = (of: readonly { readonly name: string }[] | undefined): string => (of ?? []).map(({ name }) => name).join(" ");
const saysSame = (a: Frozen<EndpointHints> | undefined, b: EndpointHints | undefined): boolean => names(a?.forZones) === names(b?.forZones) && names(a?.forNodes) === names(b?.forNodes);
