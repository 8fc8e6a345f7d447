import { keyOf, splitKey, type Frozen } from "../../apimachinery/meta.ts";
import { isNamespaceTerminating, isNotFound } from "../../apimachinery/status.ts";
import { endpoints, endpointslices, services } from "../../apis/builtins.ts";
import type { Endpoints, Service } from "../../apis/generated/core/v1.ts";
import type { EndpointSlice } from "../../apis/generated/discovery/v1.ts";
import { defineController, watchOf, type ReconcileContext } from "../../client/controller.ts";
import { managedByLabel, serviceNameLabel } from "../service-endpoints.ts";
import { managedBy, maxAddresses, planMirror, shouldMirror } from "./plan.ts";

const isOurs = (slice: Frozen<EndpointSlice>): boolean => slice.metadata.labels?.[managedByLabel] === managedBy;
const hasSelector = ({ spec }: Frozen<Service>): boolean => Object.keys(spec?.selector ?? {}).length > 0;

/** Makes slices of the Endpoints that users keep for services without a selector, so that proxies need to know slices only. */
export const endpointslicemirroring = defineController<Endpoints>({
  name: "endpointslicemirroring-controller", eventSource: "endpoint-slice-mirroring-controller", for: endpoints, workers: 5, writes: [endpointslices, { apiGroups: [""], resources: ["endpoints/finalizers"], verbs: ["update"] }],
  watches: [
    watchOf(services, (current, old) => (current && old && hasSelector(current) === hasSelector(old) ? [] : [keyOf(current ?? old!)])),
    watchOf(endpointslices, (current, old) => [current, old].filter((slice) => slice !== undefined && isOurs(slice)).map((slice) => `${slice!.metadata.namespace}/${slice!.metadata.labels?.[serviceNameLabel]}`)),
  ],
  async reconcile(key, context) {
    const { client, lister, recorder } = context;
    const { namespace, name } = splitKey(key);
    const object = lister(endpoints).get(key);
    const service = lister(services).get(key);
    const existing = lister(endpointslices).list(namespace).filter((slice) => isOurs(slice) && slice.metadata.labels?.[serviceNameLabel] === name && !slice.metadata.deletionTimestamp);
    if (!object || !service || hasSelector(service) || !shouldMirror(object)) return remove(existing, context);
    const plan = planMirror(object, existing);
    if (plan.invalid > 0) recorder.event(object, "Warning", "InvalidIPAddress", `Skipped ${plan.invalid} invalid IP addresses when mirroring to EndpointSlices`);
    if (plan.tooMany > 0) recorder.event(object, "Warning", "TooManyAddressesToMirror", `A max of ${maxAddresses} addresses can be mirrored to EndpointSlices per Endpoints subset. ${plan.invalid + plan.tooMany} addresses were skipped`);
    try {
      for (const slice of plan.create) await client.create(endpointslices, slice);
    } catch (error) {
      if (isNamespaceTerminating(error)) return;
      throw error;
    }
    for (const slice of plan.update) await client.update(endpointslices, slice);
    await remove(plan.delete, context);
  },
});

async function remove(slices: readonly Frozen<EndpointSlice>[], { client }: ReconcileContext): Promise<void> {
  for (const { metadata: { namespace, name, uid } } of slices) {
    await client.delete(endpointslices, { namespace, name: name! }, { preconditions: { uid } }).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  }
}
