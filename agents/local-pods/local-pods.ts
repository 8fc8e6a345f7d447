import type { Frozen, KubeObject } from "../../src/apimachinery/meta.ts";
import type { ResourceCard } from "../../src/apimachinery/resource.ts";
import { pods } from "../../src/apis/core/pod/pod.ts";
import { services } from "../../src/apis/core/service/service.ts";
import { endpointslices } from "../../src/apis/discovery/endpointslice.ts";
import type { Pod, PodStatus, Service } from "../../src/apis/generated/core/v1.ts";
import type { Endpoint, EndpointSlice } from "../../src/apis/generated/discovery/v1.ts";
import type { Informer, InformerFactory } from "../../src/client/informer.ts";
import { OverlaidInformer } from "./overlaid-informer.ts";

/** The pods of this node as its kubelet knows them. */
export interface LocalPods {
  /** Undefined when the kubelet doesn't know the pod, or not yet how it stands. */
  get(uid: string): Frozen<PodStatus> | undefined;
  /** Calls `handler` with the uid of a pod that stands otherwise than before. */
  onChange(handler: (uid: string) => void): void;
}

/**
 * Informers for the network parts of a node: what the server says, and of the node's own pods what the kubelet says. The server has it from the
 * kubelet too, only later, or not at all while it is away: then a pod that has started again has another address than EndpointSlices know, and
 * would be lost to its Services and names. The server's view that a node it can't reach has no ready pods does not count on the node itself.
 */
export function withLocalPods(informers: InformerFactory, local: LocalPods, nodeName: string): InformerFactory {
  const overlaid = new Map<Informer<any>, OverlaidInformer<any>>();
  local.onChange((uid) => {
    for (const informer of overlaid.values()) informer.touch(uid);
  });
  const overlay = <T extends KubeObject>(base: Informer<T>, make: () => OverlaidInformer<T>): Informer<T> => {
    const known = overlaid.get(base) ?? make();
    overlaid.set(base, known);
    return known;
  };
  const ofNode = ({ nodeName: on }: Frozen<Endpoint>): boolean => on === nodeName;

  return {
    informer<T extends KubeObject>(card: ResourceCard<T>, scope?: Parameters<InformerFactory["informer"]>[1]): Informer<T> {
      const base = informers.informer(card, scope) as Informer<any>;
      if ((card as ResourceCard<any>) === pods) {
        return overlay<Pod>(base, () => new OverlaidInformer<Pod>(base, {
          dependsOn: ({ metadata, spec }) => (spec.nodeName === nodeName ? [metadata.uid!] : []),
          picture: (pod) => (pod.spec.nodeName === nodeName ? podAsIs(pod, local.get(pod.metadata.uid!)) : pod),
        })) as Informer<any>;
      }
      if ((card as ResourceCard<any>) === endpointslices) {
        const known = informers.informer(services);
        return overlay<EndpointSlice>(base, () => new OverlaidInformer<EndpointSlice>(base, {
          dependsOn: ({ endpoints }) => (endpoints ?? []).filter(ofNode).flatMap(({ targetRef }) => targetRef?.uid ?? []),
          picture: (slice) => sliceAsIs(slice, (endpoint) => (ofNode(endpoint) && endpoint.targetRef?.uid ? local.get(endpoint.targetRef.uid) : undefined), serviceOf(slice, known)),
        })) as Informer<any>;
      }
      return base;
    },
  };
}

const serviceOf = ({ metadata: { namespace, labels } }: Frozen<EndpointSlice>, known: Informer<Service>): Frozen<Service> | undefined => {
  const name = labels?.["kubernetes.io/service-name"];
  return name ? known.lister.get(`${namespace}/${name}`) : undefined;
};

/** The pod with the status that its kubelet knows; conditions that others answer for stay. */
function podAsIs(pod: Frozen<Pod>, status: Frozen<PodStatus> | undefined): Frozen<Pod> {
  if (!status) return pod;
  const { phase, podIP, podIPs, conditions = [] } = status;
  const others = (pod.status?.conditions ?? []).filter(({ type }) => !conditions.some((own) => own.type === type));
  return { ...pod, status: { ...pod.status, phase, podIP, podIPs, conditions: [...conditions, ...others] } };
}

/** The slice, unless somebody else made it, with the addresses and the readiness that endpoints of this node have. Source of the conditions: the EndpointSlice controller's. */
function sliceAsIs(slice: Frozen<EndpointSlice>, statusOf: (endpoint: Frozen<Endpoint>) => Frozen<PodStatus> | undefined, service: Frozen<Service> | undefined): Frozen<EndpointSlice> {
  if (slice.metadata.labels?.["endpointslice.kubernetes.io/managed-by"] !== "endpointslice-controller.k8s.io") return slice;
  let differs = false;
  const endpoints = (slice.endpoints ?? []).map((endpoint) => {
    const status = statusOf(endpoint);
    if (!status) return endpoint;
    const address = (status.podIPs ?? []).map(({ ip }) => ip).find((ip) => ip.includes(":") === (slice.addressType === "IPv6"));
    const serving = status.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True") ?? false;
    const terminating = endpoint.conditions?.terminating ?? false;
    const ready = (service?.spec?.publishNotReadyAddresses ?? false) || (serving && !terminating);
    const { conditions = {}, addresses } = endpoint;
    if ((!address || address === addresses[0]) && serving === conditions.serving && ready === conditions.ready) return endpoint;
    differs = true;
    return { ...endpoint, addresses: address ? [address] : addresses, conditions: { ...conditions, serving, ready } };
  });
  return differs ? { ...slice, endpoints } : slice;
}
