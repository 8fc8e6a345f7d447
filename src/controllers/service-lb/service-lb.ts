import { keyOf, thaw, type Frozen } from "../../apimachinery/meta.ts";
import { endpointslices, nodes, services } from "../../apis/builtins.ts";
import type { LoadBalancerIngress, Service } from "../../apis/generated/core/v1.ts";
import { defineController, watchOf, type Controller, type Listers, type ReconcileContext } from "../../client/controller.ts";
import { serviceNameLabel } from "../service-endpoints.ts";
import { nodeFacts, planLoadBalancer, portsOf, wantsLoadBalancer } from "./plan.ts";

const finalizer = "service.kubernetes.io/load-balancer-cleanup";

const hasFinalizer = ({ metadata }: Frozen<Service>): boolean => metadata.finalizers?.includes(finalizer) ?? false;
const ingressOf = ({ status }: Frozen<Service>): readonly Frozen<LoadBalancerIngress>[] => status?.loadBalancer?.ingress ?? [];

/**
 * Gives services of type LoadBalancer the addresses of the nodes, where each node's proxy answers for them: a load balancer without
 * pods of its own. One worker: two services never take a port of an address at once. Make one for each start.
 */
export function serviceLb(): Controller {
  /** Keys of the services that have or want addresses. */
  const balanced = new Set<string>();
  /** Of those, the ones that lack an address for another service has it. */
  const crowded = new Set<string>();

  return defineController<Service>({
    name: "service-controller", writes: [services], workers: 1, reads: [services],
    watches: [
      watchOf(services, (current, old) => {
        const key = keyOf(current ?? old!);
        const concerned = current !== undefined && (wantsLoadBalancer(current) || hasFinalizer(current));
        const was = balanced.has(key);
        if (concerned) balanced.add(key);
        else balanced.delete(key);
        if (!concerned && !was) return [];
        // Ports that were let go may be another's now.
        const released = !current || !old || !Bun.deepEquals([portsOf(current), ingressOf(current), wantsLoadBalancer(current)], [portsOf(old), ingressOf(old), wantsLoadBalancer(old)]);
        return released ? [key, ...crowded] : [key];
      }),
      watchOf(nodes, (current, old) => (current && old && Bun.deepEquals(nodeFacts(current), nodeFacts(old)) ? [] : balanced)),
      watchOf(endpointslices, (current, old, { lister }) => {
        const { namespace, labels } = (current ?? old!).metadata;
        const service = lister(services).get(`${namespace}/${labels?.[serviceNameLabel]}`);
        return service && service.spec?.externalTrafficPolicy === "Local" && balanced.has(keyOf(service)) ? [keyOf(service)] : [];
      }),
    ],
    async reconcile(key, context) {
      const service = context.lister(services).get(key);
      crowded.delete(key);
      if (!service) return;
      if (wantsLoadBalancer(service)) {
        if (await ensure(service, otherServices(key, context.lister), context)) crowded.add(key);
      } else if (hasFinalizer(service)) await cleanUp(service, context);
    },
  });

  function otherServices(key: string, lister: Listers): Frozen<Service>[] {
    return [...balanced].filter((other) => other !== key).map((other) => lister(services).get(other)).filter((service) => service !== undefined);
  }
}

/** Returns whether an address is missing that another service has. */
async function ensure(service: Frozen<Service>, others: readonly Frozen<Service>[], context: ReconcileContext): Promise<boolean> {
  const { lister, recorder } = context;
  const { namespace, name } = service.metadata;
  const slices = lister(endpointslices).list(namespace).filter(({ metadata }) => metadata.labels?.[serviceNameLabel] === name);
  const { ingress, refused } = planLoadBalancer({ service, nodes: lister(nodes).list(), slices, others, apiServer: lister(endpointslices).get("default/kubernetes") });
  const isNew = !hasFinalizer(service), had = ingressOf(service);
  const same = Bun.deepEquals(had, ingress);
  if (!isNew && same) return refused.length > 0;
  // That it has a finalizer, and none of these, says that the service was told of before.
  if (isNew) recorder.event(service, "Normal", "EnsuringLoadBalancer", "Ensuring load balancer");
  for (const { port, address, by } of refused) recorder.event(service, "Warning", "LoadBalancerPortInUse", `Port ${port} of ${address} is in use by ${by}`);
  if (ingress.length === 0 && refused.length === 0) recorder.event(service, "Warning", "UnAvailableLoadBalancer", "There are no available nodes for LoadBalancer");
  const held = isNew ? await context.client.patch(services, { namespace, name: name! }, { type: "application/merge-patch+json", body: { metadata: { resourceVersion: service.metadata.resourceVersion, finalizers: [...service.metadata.finalizers ?? [], finalizer] } } }) : service;
  if (!same) await writeIngress(held, ingress, context);
  if (isNew) recorder.event(service, "Normal", "EnsuredLoadBalancer", "Ensured load balancer");
  else recorder.event(service, "Normal", "UpdatedLoadBalancer", "Updated load balancer with new hosts");
  return refused.length > 0;
}

async function cleanUp(service: Frozen<Service>, context: ReconcileContext): Promise<void> {
  const { client, recorder } = context;
  const { namespace, name } = service.metadata;
  if (ingressOf(service).length > 0) recorder.event(service, "Normal", "DeletingLoadBalancer", "Deleting load balancer");
  const cleared = ingressOf(service).length > 0 ? await writeIngress(service, [], context) : service;
  const { resourceVersion, finalizers = [] } = cleared.metadata;
  await client.patch(services, { namespace, name: name! }, { type: "application/merge-patch+json", body: { metadata: { resourceVersion, finalizers: finalizers.filter((one) => one !== finalizer) } } });
  recorder.event(service, "Normal", "DeletedLoadBalancer", "Deleted load balancer");
}

const writeIngress = (service: Frozen<Service>, ingress: LoadBalancerIngress[], { client }: ReconcileContext): Promise<Frozen<Service>> =>
  client.update(services, { ...thaw<Service>(service), status: { ...thaw<Service>(service).status, loadBalancer: ingress.length > 0 ? { ingress } : {} } }, { subresource: "status" });
