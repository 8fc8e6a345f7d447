import type { Frozen } from "../../apimachinery/meta.ts";
import { isNotFound } from "../../apimachinery/status.ts";
import { endpointslices, nodes, pods, services } from "../../apis/builtins.ts";
import type { EndpointSlice } from "../../apis/generated/discovery/v1.ts";
import { defineController, watchOf } from "../../client/controller.ts";
import { newControllerRef } from "../controller-ref.ts";
import { hasSelector, podsOf, watchPods } from "../service-endpoints.ts";
import { managedBy, managedByLabel, planSlices, serviceNameLabel } from "./plan.ts";

const zoneLabel = "topology.kubernetes.io/zone";

const isOurs = (slice: Frozen<EndpointSlice>): boolean => slice.metadata.labels?.[managedByLabel] === managedBy;

/** Tells the proxies and the DNS which pods stand behind a service. */
export const endpointslice = defineController({
  name: "endpointslice-controller", for: services, workers: 5, writes: [endpointslices, { apiGroups: [""], resources: ["services/finalizers"], verbs: ["update"] }],
  watches: [
    watchPods,
    watchOf(endpointslices, (current, old) => [current, old].filter((slice) => slice !== undefined && isOurs(slice)).map((slice) => `${slice!.metadata.namespace}/${slice!.metadata.labels?.[serviceNameLabel]}`)),
    // A node's zone is known only once it is labelled.
    watchOf(nodes, (current, old, { lister }) => (current && current.metadata.labels?.[zoneLabel] !== old?.metadata.labels?.[zoneLabel]
      ? lister(services).list().filter(hasSelector).map((service) => `${service.metadata.namespace}/${service.metadata.name}`) : [])),
  ],
  reads: [pods],
  async reconcile(key, { client, lister }) {
    const service = lister(services).get(key);
    // Slices of a service that is gone go by their owner reference.
    if (!service || service.metadata.deletionTimestamp || !hasSelector(service)) return;
    const { namespace } = service.metadata;
    const existing = lister(endpointslices).list(namespace).filter((slice) => isOurs(slice) && slice.metadata.labels?.[serviceNameLabel] === service.metadata.name && !slice.metadata.deletionTimestamp);
    const plan = planSlices(service, podsOf(service, lister), existing, (node) => lister(nodes).get(node)?.metadata.labels?.[zoneLabel]);
    // What comes before what goes: an endpoint that moves between slices is never missing.
    for (const slice of plan.create) await client.create(endpointslices, { ...slice, metadata: { ...slice.metadata, ownerReferences: [newControllerRef(services, service)] } });
    for (const slice of plan.update) await client.update(endpointslices, slice);
    for (const name of plan.delete) {
      await client.delete(endpointslices, { namespace, name }).catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
    }
  },
});
