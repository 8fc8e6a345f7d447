import type { Frozen } from "../../apimachinery/meta.ts";
import type { LoadBalancerIngress, Node, Service } from "../../apis/generated/core/v1.ts";
import type { EndpointSlice } from "../../apis/generated/discovery/v1.ts";
import { isNodeReady } from "../node-status.ts";
import { familiesOf, familyOf } from "../service-endpoints.ts";

/** Names that users of K3s know: nodes with `enablelb=true`, if there are any, are the only ones; of those a service may name a pool. */
const enableLabel = "svccontroller.k3s.cattle.io/enablelb", poolLabel = "svccontroller.k3s.cattle.io/lbpool";
const excludeLabel = "node.kubernetes.io/exclude-from-external-load-balancers";
const toBeDeleted = "ToBeDeletedByClusterAutoscaler";

/** A service with a class is some other controller's. */
export const wantsLoadBalancer = ({ spec, metadata }: Frozen<Service>): boolean => spec?.type === "LoadBalancer" && !spec.loadBalancerClass && !metadata.deletionTimestamp;

/** A port of an address that is in use. */
interface Taken {
  /** `80/TCP` */
  port: string;
  address: string;
  /** Who has the port of this address: `Service default/web`, or a part of the cluster itself. */
  by: string;
}

export interface LoadBalancerPlan {
  ingress: LoadBalancerIngress[];
  refused: Taken[];
}

export interface LoadBalancerFacts {
  service: Frozen<Service>;
  nodes: readonly Frozen<Node>[];
  /** The service's own. */
  slices: readonly Frozen<EndpointSlice>[];
  /** Other services that have, or want, addresses. */
  others: readonly Frozen<Service>[];
  /** Where the API server is: the slice of default/kubernetes. */
  apiServer: Frozen<EndpointSlice> | undefined;
}

/**
 * The addresses under which the nodes' proxies answer for a service: of those of its nodes that are ready, the external ones if any
 * node has one, else the internal ones. A port of an address is of the service that has it first; those of the API server and the kubelets
 * are of none, because who takes them can't give them back. Source: K3s' ServiceLB.
 */
export function planLoadBalancer({ service, nodes, slices, others, apiServer }: LoadBalancerFacts): LoadBalancerPlan {
  const chosen = nodesFor(service, nodes, slices);
  const ofType = (wanted: string): string[] => chosen.flatMap(({ status }) => (status?.addresses ?? []).filter(({ type }) => type === wanted).map(({ address }) => address));
  const external = ofType("ExternalIP");
  const addresses = [...new Set(external.length > 0 ? external : ofType("InternalIP"))].toSorted();
  const inOrder = familiesOf(service).flatMap((family) => addresses.filter((address) => familyOf(address) === family));
  const own = new Set(portsOf(service));
  const unusable = Map.groupBy([...others.flatMap(taken), ...nodes.flatMap(takenByKubelet), ...takenByApiServer(apiServer)].filter(({ port }) => own.has(port)), ({ address }) => address);
  const refused = inOrder.flatMap((address) => unusable.get(address)?.[0] ?? []);
  const free = inOrder.filter((address) => !unusable.has(address));
  return { ingress: free.map((ip) => ({ ip, ipMode: "VIP" })), refused };
}

function nodesFor(service: Frozen<Service>, nodes: readonly Frozen<Node>[], slices: readonly Frozen<EndpointSlice>[]): Frozen<Node>[] {
  const enabled = nodes.filter(({ metadata: { labels } }) => labels?.[enableLabel] === "true");
  const pool = service.metadata.labels?.[poolLabel];
  const candidates = enabled.length === 0 ? nodes : enabled.filter(({ metadata: { labels } }) => !pool || labels?.[poolLabel] === pool);
  const local = service.spec?.externalTrafficPolicy === "Local" ? nodesWithEndpoints(slices) : undefined;
  return candidates.filter((node) => isUsable(node) && (!local || local.has(node.metadata.name!)));
}

const nodesWithEndpoints = (slices: readonly Frozen<EndpointSlice>[]): Set<string> =>
  new Set(slices.flatMap(({ endpoints }) => endpoints.filter(({ conditions, nodeName }) => conditions?.ready !== false && nodeName).map(({ nodeName }) => nodeName!)));

function isUsable(node: Frozen<Node>): boolean {
  const { metadata: { labels, deletionTimestamp }, spec } = node;
  const excluded = labels?.[excludeLabel];
  return isNodeReady(node) && !deletionTimestamp && (excluded === undefined || /^(0|f|F|false|False|FALSE)$/.test(excluded)) && !(spec.taints ?? []).some(({ key }) => key === toBeDeleted);
}

/** All of a node that decides whether it answers for services, and by which addresses. */
export const nodeFacts = (node: Frozen<Node>): unknown => [isUsable(node), [enableLabel, poolLabel].map((label) => node.metadata.labels?.[label] ?? ""), node.status?.addresses ?? []];

const taken = (service: Frozen<Service>): Taken[] => (service.status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) =>
  (ip ? portsOf(service).map((port) => ({ address: ip, port, by: `Service ${service.metadata.namespace}/${service.metadata.name}` })) : []));

function takenByKubelet({ status }: Frozen<Node>): Taken[] {
  const port = status?.daemonEndpoints?.kubeletEndpoint?.Port;
  return port ? (status?.addresses ?? []).map(({ address }) => ({ address, port: `${port}/TCP`, by: "the kubelet" })) : [];
}

const takenByApiServer = (slice: Frozen<EndpointSlice> | undefined): Taken[] => (slice?.endpoints ?? []).flatMap(({ addresses }) =>
  addresses.flatMap((address) => (slice!.ports ?? []).map(({ port, protocol = "TCP" }) => ({ address, port: `${port}/${protocol}`, by: "the API server" }))));

export const portsOf = ({ spec }: Frozen<Service>): string[] => (spec?.ports ?? []).map(({ port, protocol = "TCP" }) => `${port}/${protocol}`);
