import { isIP } from "node:net";
import { thaw, type Frozen } from "../../apimachinery/meta.ts";
import { endpoints as endpointsCard } from "../../apis/builtins.ts";
import type { EndpointAddress, Endpoints } from "../../apis/generated/core/v1.ts";
import type { Endpoint, EndpointPort, EndpointSlice } from "../../apis/generated/discovery/v1.ts";
import { newControllerRef } from "../controller-ref.ts";
import { repackSubsets } from "../endpoint-subsets.ts";
import { familyOf, managedByLabel, serviceNameLabel, type IpFamily } from "../service-endpoints.ts";
import { triggerTimeAnnotation } from "../trigger-times.ts";

export const managedBy = "endpointslicemirroring-controller.k8s.io";
/** Addresses of one subset that are mirrored at most: `--mirroring-max-endpoints-per-subset`. */
export const maxAddresses = 1000;

const unmirrored = [triggerTimeAnnotation, "kubectl.kubernetes.io/last-applied-configuration"];

export interface MirrorPlan {
  create: EndpointSlice[];
  update: EndpointSlice[];
  delete: Frozen<EndpointSlice>[];
  /** Addresses left out because they are none. */
  invalid: number;
  /** Addresses left out because there were too many in their subset. */
  tooMany: number;
}

/** Whether Endpoints are to be mirrored at all, if their service has no selector. */
export function shouldMirror({ metadata: { labels, annotations } }: Frozen<Endpoints>): boolean {
  return labels?.["endpointslice.kubernetes.io/skip-mirror"] !== "true" && annotations?.["control-plane.alpha.kubernetes.io/leader"] === undefined;
}

interface Wanted {
  family: IpFamily;
  ports: EndpointPort[];
  endpoints: Endpoint[];
}

/** One slice for each subset and address family. Source: kubernetes pkg/controller/endpointslicemirroring/reconciler.go. */
export function planMirror(endpoints: Frozen<Endpoints>, existing: readonly Frozen<EndpointSlice>[]): MirrorPlan {
  const plan: MirrorPlan = { create: [], update: [], delete: [], invalid: 0, tooMany: 0 };
  const slices = Map.groupBy(existing, ({ addressType, ports }) => keyOf(addressType, ports));
  for (const wanted of wantedSlices(endpoints, plan)) {
    const key = keyOf(wanted.family, wanted.ports);
    const [first, ...others] = slices.get(key) ?? [];
    slices.delete(key);
    plan.delete.push(...others);
    if (!first) plan.create.push(newSlice(endpoints, wanted));
    else if (!mirrors(first, endpoints, wanted)) plan.update.push(rewritten(first, newSlice(endpoints, wanted)));
  }
  plan.delete.push(...[...slices.values()].flat());
  recycle(plan);
  if (endpoints.metadata.deletionTimestamp) plan.create = [];
  return plan;
}

function wantedSlices(endpoints: Frozen<Endpoints>, plan: MirrorPlan): Wanted[] {
  return repackSubsets(endpoints.subsets ?? []).flatMap((subset) => {
    const ports = (subset.ports ?? []).map(({ name = "", port, protocol = "TCP", appProtocol }): EndpointPort => ({ name, port, protocol, ...(appProtocol ? { appProtocol } : {}) }));
    const all = [...(subset.addresses ?? []).map((address) => ({ address, ready: true })), ...(subset.notReadyAddresses ?? []).map((address) => ({ address, ready: false }))];
    const valid = all.filter(({ address }) => isIP(address.ip) !== 0);
    plan.invalid += all.length - valid.length;
    plan.tooMany += Math.max(0, valid.length - maxAddresses);
    const mirrored = valid.slice(0, maxAddresses).map(({ address, ready }) => endpointOf(address, ready));
    return (["IPv4", "IPv6"] as const).flatMap((family) => {
      const own = mirrored.filter((endpoint) => familyOf(endpoint.addresses[0]!) === family);
      return own.length > 0 ? [{ family, ports, endpoints: own }] : [];
    });
  });
}

function endpointOf({ ip, hostname, nodeName, targetRef }: EndpointAddress, ready: boolean): Endpoint {
  return { addresses: [ip], conditions: { ready }, ...(hostname ? { hostname } : {}), ...(targetRef ? { targetRef } : {}), ...(nodeName ? { nodeName } : {}) };
}

const keyOf = (family: string, ports: Frozen<EndpointPort[]> | undefined): string =>
  `${family} ${JSON.stringify([...(ports ?? [])].map(({ name = "", port, protocol = "TCP", appProtocol = "" }) => [name, port, protocol, appProtocol]).toSorted())}`;

function mirrors(slice: Frozen<EndpointSlice>, endpoints: Frozen<Endpoints>, wanted: Wanted): boolean {
  const { labels, annotations = {}, ownerReferences } = slice.metadata;
  const byAddress = (all: readonly Frozen<Endpoint>[]): Map<string, Frozen<Endpoint>> => new Map(all.map((endpoint) => [endpoint.addresses.join(), endpoint]));
  return Bun.deepEquals(labels, labelsOf(endpoints)) && Bun.deepEquals(annotations, annotationsOf(endpoints)) && ownerReferences?.some(({ uid }) => uid === endpoints.metadata.uid) === true
    && slice.endpoints.length === wanted.endpoints.length && Bun.deepEquals(byAddress(slice.endpoints), byAddress(wanted.endpoints));
}

const labelsOf = ({ metadata: { name, labels } }: Frozen<Endpoints>): Record<string, string> => ({ ...labels, [serviceNameLabel]: name!, [managedByLabel]: managedBy });
const annotationsOf = ({ metadata: { annotations = {} } }: Frozen<Endpoints>): Record<string, string> => Object.fromEntries(Object.entries(annotations).filter(([name]) => !unmirrored.includes(name)));

function newSlice(endpoints: Frozen<Endpoints>, { family, ports, endpoints: contents }: Wanted): EndpointSlice {
  const { name, namespace } = endpoints.metadata;
  return {
    apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice",
    metadata: { generateName: `${name}-`, namespace, labels: labelsOf(endpoints), annotations: annotationsOf(endpoints), ownerReferences: [newControllerRef(endpointsCard, endpoints)] },
    addressType: family, ports, endpoints: contents,
  };
}

/** The slice with another content. */
function rewritten(slice: Frozen<EndpointSlice>, { metadata, ports, endpoints }: EndpointSlice): EndpointSlice {
  const copy = thaw<EndpointSlice>(slice);
  const { labels, annotations, ownerReferences } = metadata;
  return { ...copy, metadata: { ...copy.metadata, labels, annotations, ownerReferences }, ports, endpoints };
}

/** A slice that would go is used for one of its family that would come. */
function recycle(plan: MirrorPlan): void {
  plan.create = plan.create.filter((created) => {
    const spare = plan.delete.findIndex(({ addressType }) => addressType === created.addressType);
    if (spare < 0) return true;
    plan.update.push(rewritten(plan.delete.splice(spare, 1)[0]!, created));
    return false;
  });
}
