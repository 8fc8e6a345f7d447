import type { Frozen } from "../../apimachinery/meta.ts";
import { isNamespaceTerminating, isNotFound } from "../../apimachinery/status.ts";
import { endpointslices, nodes, pods, services } from "../../apis/builtins.ts";
import type { Node, Service } from "../../apis/generated/core/v1.ts";
import type { EndpointSlice } from "../../apis/generated/discovery/v1.ts";
import { defineController, watchOf, type Controller, type Listers, type ReconcileContext } from "../../client/controller.ts";
import { isNodeReady } from "../node-status.ts";
import type { PodsByNode } from "../pods-by-node.ts";
import { hasSelector, managedByLabel, podsOf, serviceNameLabel, servicesOf, watchPods } from "../service-endpoints.ts";
import { TriggerTimes, withTriggerTime } from "../trigger-times.ts";
import { zoneLabel } from "./endpoint.ts";
import { hintCloseness, removeHints, trafficDistributionOf, wantsTopologyHints } from "./hints.ts";
import { managedBy, planSlices, type ServicePlan } from "./plan.ts";
import { TopologyState } from "./topology-state.ts";

const isOurs = (slice: Frozen<EndpointSlice>): boolean => slice.metadata.labels?.[managedByLabel] === managedBy;
const zoneOf = (node: Frozen<Node> | undefined): string | undefined => node?.metadata.labels?.[zoneLabel];

/** Tells the proxies and the DNS which pods stand behind a service. Make one for each start. */
export function endpointslice({ podsByNode }: { podsByNode: PodsByNode }): Controller {
  const triggerTimes = new TriggerTimes();
  let topology: TopologyState | undefined;
  const topologyOf = (lister: Listers): TopologyState => topology ??= new TopologyState(() => lister(nodes).list());

  return defineController<Service>({
    name: "endpointslice-controller", eventSource: "endpoint-slice-controller", for: services, workers: 5, writes: [endpointslices, { apiGroups: [""], resources: ["services/finalizers"], verbs: ["update"] }],
    watches: [
      watchPods,
      watchOf(pods, (current, old) => {
        podsByNode.track(current, old);
        return [];
      }),
      watchOf(endpointslices, (current, old) => [current, old].filter((slice) => slice !== undefined && isOurs(slice)).map((slice) => `${slice!.metadata.namespace}/${slice!.metadata.labels?.[serviceNameLabel]}`)),
      watchOf(nodes, (current, old, { lister }) => nodeChanged(current, old, lister)),
    ],
    reads: [pods],
    async reconcile(key, context) {
      const { lister, recorder } = context;
      const service = lister(services).get(key);
      // Slices of a service that is gone go by their owner reference.
      if (!service || !hasSelector(service)) {
        triggerTimes.forget(key);
        topology?.forget(key);
        return;
      }
      const existing = lister(endpointslices).list(service.metadata.namespace).filter((slice) => isOurs(slice) && slice.metadata.labels?.[serviceNameLabel] === service.metadata.name && !slice.metadata.deletionTimestamp);
      const selected = podsOf(service, lister);
      const plan = planSlices(service, selected, existing, (name) => lister(nodes).get(name));
      const time = triggerTimes.next(key, service, selected);
      applyHints(key, service, plan, context);
      try {
        await write(plan, time, context);
      } catch (error) {
        if (isNamespaceTerminating(error)) return;
        recorder.event(service, "Warning", "FailedToUpdateEndpointSlices", `Error updating Endpoint Slices for Service ${key}: ${(error as Error).message}`);
        throw error;
      }
      // The node's coming wakes the service again.
      for (const pod of plan.nodeless) recorder.event(service, "Warning", "FailedToUpdateEndpointSlices", `Error updating Endpoint Slices for Service ${key}: skipping Pod ${pod.metadata.name} for Service ${key}: Node ${pod.spec.nodeName} Not Found`);
    },
  });

  function applyHints(key: string, service: Frozen<Service>, plan: ServicePlan, { lister, recorder }: ReconcileContext): void {
    const distribution = trafficDistributionOf(service);
    for (const family of plan.families) {
      const event = topologyOf(lister).apply(key, service, family);
      if (distribution) hintCloseness(family, distribution);
      else if (!wantsTopologyHints(service)) removeHints(family);
      if (event) recorder.event(service, event.type, event.reason, event.message);
    }
  }

  /** Services with pods on a node that comes or changes its zone, and those whose endpoints are to be shared out among zones anew. */
  function nodeChanged(current: Frozen<Node> | undefined, old: Frozen<Node> | undefined, lister: Listers): Iterable<string> {
    const moved = zoneOf(current) !== zoneOf(old);
    const concerned = new Set<string>();
    if (current && (!old || moved)) {
      for (const key of podsByNode.on(current.metadata.name!)) {
        const pod = lister(pods).get(key);
        if (pod) for (const service of servicesOf(pod, lister)) concerned.add(service);
      }
    }
    if (!current || !old || moved || isNodeReady(current) !== isNodeReady(old)) for (const service of topology?.nodesChanged() ?? []) concerned.add(service);
    return concerned;
  }
}

/** What comes before what goes: an endpoint that moves between slices is never missing. */
async function write(plan: ServicePlan, time: string | undefined, { client }: ReconcileContext): Promise<void> {
  const timed = (slice: EndpointSlice): EndpointSlice => ({ ...slice, metadata: withTriggerTime(slice.metadata, time) });
  for (const { create } of plan.families) for (const slice of create) await client.create(endpointslices, timed(slice));
  for (const { update } of plan.families) for (const slice of update) await client.update(endpointslices, timed(slice));
  for (const { metadata: { namespace, name, uid } } of [...plan.families.flatMap((family) => family.delete), ...plan.delete]) {
    await client.delete(endpointslices, { namespace, name: name! }, { preconditions: { uid } }).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  }
}
