import { keyOf, splitKey, thaw, type Frozen } from "../../apimachinery/meta.ts";
import { isNamespaceTerminating, isNotFound } from "../../apimachinery/status.ts";
import { endpoints, pods, services } from "../../apis/builtins.ts";
import type { Endpoints, Service } from "../../apis/generated/core/v1.ts";
import { defineController, watchOf, type Controller, type ReconcileContext } from "../../client/controller.ts";
import { hasSelector, headlessLabel, isHeadless, podsOf, watchPods } from "../service-endpoints.ts";
import { TriggerTimes, withTriggerTime } from "../trigger-times.ts";
import { subsetsOf } from "./plan.ts";

const managedByLabel = "endpoints.kubernetes.io/managed-by";
const overCapacity = "endpoints.kubernetes.io/over-capacity";

/** Keeps the classic Endpoints object of each service, for clients that don't know EndpointSlices. Make one for each start. */
export function endpointsController(): Controller {
  const triggerTimes = new TriggerTimes();
  /** Keys of services that went while we watched: their Endpoints go with them, whoever made those. */
  const gone = new Set<string>();
  return defineController<Service>({
    name: "endpoint-controller", for: services, workers: 5, writes: [endpoints, { apiGroups: [""], resources: ["endpoints/restricted"], verbs: ["create"] }],
    watches: [
      watchPods,
      watchOf(services, (current, old) => {
        if (current) gone.delete(keyOf(current));
        else gone.add(keyOf(old!));
        return [];
      }),
      watchOf(endpoints, (current, old) => [keyOf(current ?? old!)]),
    ],
    reads: [pods],
    async reconcile(key, context) {
      const { lister } = context;
      const service = lister(services).get(key);
      const existing = lister(endpoints).get(key);
      if (!service) {
        triggerTimes.forget(key);
        // Endpoints of a leader election, or of a service that is still to come, are somebody else's.
        if (existing && (gone.has(key) || existing.metadata.labels?.[managedByLabel] === "endpoint-controller")) await remove(existing, context);
        gone.delete(key);
        return;
      }
      if (!hasSelector(service)) return;
      const selected = podsOf(service, lister);
      await write(key, wanted(service, existing, subsetsOf(service, selected)), existing, triggerTimes.next(key, service, selected), context);
    },
  });
}

async function remove({ metadata: { namespace, name, uid } }: Frozen<Endpoints>, { client }: ReconcileContext): Promise<void> {
  await client.delete(endpoints, { namespace, name: name! }, { preconditions: { uid } }).catch((error: unknown) => {
    if (!isNotFound(error)) throw error;
  });
}

/** The object as it is to be; undefined when it is so. */
function wanted(service: Frozen<Service>, existing: Frozen<Endpoints> | undefined, { subsets, truncated }: ReturnType<typeof subsetsOf>): Endpoints | undefined {
  const { namespace, name, labels: serviceLabels = {} } = service.metadata;
  const { [headlessLabel]: _, ...own } = serviceLabels;
  const labels = { ...own, [managedByLabel]: "endpoint-controller", ...(isHeadless(service) ? { [headlessLabel]: "" } : {}) };
  const { [overCapacity]: marked, ...annotations } = existing?.metadata.annotations ?? {};
  if (existing && Bun.deepEquals(existing.subsets ?? [], subsets) && Bun.deepEquals(existing.metadata.labels ?? {}, labels) && (marked !== undefined) === truncated) return undefined;
  const base = existing ? thaw<Endpoints>(existing) : { apiVersion: "v1", kind: "Endpoints", metadata: { name: name!, namespace: namespace! } };
  return { ...base, metadata: { ...base.metadata, labels, annotations: { ...annotations, ...(truncated ? { [overCapacity]: "truncated" } : {}) } }, subsets };
}

async function write(key: string, object: Endpoints | undefined, existing: Frozen<Endpoints> | undefined, time: string | undefined, { client, recorder }: ReconcileContext): Promise<void> {
  if (!object) return;
  const timed = { ...object, metadata: withTriggerTime(object.metadata, time) };
  const { namespace, name } = splitKey(key);
  try {
    await (existing ? client.update(endpoints, timed) : client.create(endpoints, timed));
  } catch (error) {
    if (isNamespaceTerminating(error)) return;
    const about = existing ?? { apiVersion: "v1", kind: "Endpoints", namespace, name };
    if (existing) recorder.event(about, "Warning", "FailedToUpdateEndpoint", `Failed to update endpoint ${key}: ${(error as Error).message}`);
    else recorder.event(about, "Warning", "FailedToCreateEndpoint", `Failed to create endpoint for service ${key}: ${(error as Error).message}`);
    throw error;
  }
}
