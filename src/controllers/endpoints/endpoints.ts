import { splitKey, thaw } from "../../apimachinery/meta.ts";
import { isNotFound } from "../../apimachinery/status.ts";
import { endpoints, pods, services } from "../../apis/builtins.ts";
import type { Endpoints } from "../../apis/generated/core/v1.ts";
import { defineController, watchOf } from "../../client/controller.ts";
import { hasSelector, headlessLabel, isHeadless, podsOf, watchPods } from "../service-endpoints.ts";
import { subsetsOf } from "./plan.ts";

const managedByLabel = "endpoints.kubernetes.io/managed-by";
const overCapacity = "endpoints.kubernetes.io/over-capacity";

/** Keeps the classic Endpoints object of each service, for clients that don't know EndpointSlices. */
export const endpointsController = defineController({
  name: "endpoint-controller", for: services, workers: 5, writes: [endpoints, { apiGroups: [""], resources: ["endpoints/restricted"], verbs: ["create"] }],
  watches: [watchPods, watchOf(endpoints, (current, old) => [`${(current ?? old!).metadata.namespace}/${(current ?? old!).metadata.name}`])],
  reads: [pods],
  async reconcile(key, { client, lister }) {
    const { namespace, name } = splitKey(key);
    const service = lister(services).get(key);
    const existing = lister(endpoints).get(key);
    if (!service) {
      // Only ours: the Endpoints of a leader election, or of a service that is still to come, are somebody else's.
      if (existing?.metadata.labels?.[managedByLabel] === "endpoint-controller") {
        await client.delete(endpoints, { namespace, name }, { preconditions: { uid: existing.metadata.uid } }).catch((error: unknown) => {
          if (!isNotFound(error)) throw error;
        });
      }
      return;
    }
    if (!hasSelector(service) || service.metadata.deletionTimestamp) return;
    const { subsets, truncated } = subsetsOf(service, podsOf(service, lister));
    const { [headlessLabel]: _, ...own } = service.metadata.labels ?? {};
    const labels = { ...own, [managedByLabel]: "endpoint-controller", ...(isHeadless(service) ? { [headlessLabel]: "" } : {}) };
    if (!existing) {
      await client.create(endpoints, { apiVersion: "v1", kind: "Endpoints", metadata: { name, namespace, labels, ...(truncated ? { annotations: { [overCapacity]: "truncated" } } : {}) }, subsets });
      return;
    }
    const { [overCapacity]: marked, ...annotations } = existing.metadata.annotations ?? {};
    if (Bun.deepEquals(existing.subsets ?? [], subsets) && Bun.deepEquals(existing.metadata.labels ?? {}, labels) && (marked !== undefined) === truncated) return;
    const copy = thaw<Endpoints>(existing);
    await client.update(endpoints, { ...copy, metadata: { ...copy.metadata, labels, annotations: { ...annotations, ...(truncated ? { [overCapacity]: "truncated" } : {}) } }, subsets });
  },
});
