import type { EndpointAddress } from "./endpoints.ts";
import type { HostPort } from "./host-ports.ts";
import type { ServicePort } from "./service-ports.ts";

/** Where UDP comes in, and who answers there. Keys are `address port`, or `port` alone on the node's own addresses. */
export type UdpFronts = Map<string, ReadonlySet<string>>;

const keyOf = ({ ip, port }: EndpointAddress): string => `${ip} ${port}`;

export function udpFronts(ports: readonly ServicePort[]): UdpFronts {
  const fronts: UdpFronts = new Map();
  for (const { protocol, clusterIp, port, nodePort, externalIps, loadBalancerIps, serving } of ports) {
    if (protocol !== "udp") continue;
    const endpoints = new Set(serving.map(keyOf));
    for (const ip of [clusterIp, ...externalIps, ...loadBalancerIps]) fronts.set(`${ip} ${port}`, endpoints);
    if (nodePort !== undefined) fronts.set(String(nodePort), endpoints);
  }
  return fronts;
}

export const udpHostPorts = (ports: readonly HostPort[]): UdpFronts =>
  new Map(ports.filter(({ protocol }) => protocol === "udp").map(({ hostIp, hostPort, endpoint }) => [hostIp ? `${hostIp} ${hostPort}` : String(hostPort), new Set([keyOf(endpoint)])]));

/** Flows of one front that the kernel remembers by a decision that is no longer right. */
export interface StaleFlows {
  front: string;
  /** Those to these endpoints, which are gone. */
  gone: ReadonlySet<string>;
  /** All but those to these: the front had nobody before, so that flows lead nowhere. */
  except?: ReadonlySet<string>;
}

/**
 * What to forget after a change: UDP has no end that would do it, so a client that goes on sending would be sent to where nobody is.
 * Flows to endpoints that stay are left alone, whatever changes about policy. Pure.
 */
export function staleFlows(before: UdpFronts | undefined, after: UdpFronts | undefined): StaleFlows[] {
  const stale: StaleFlows[] = [];
  for (const [front, endpoints] of after ?? []) {
    const had = before?.get(front), gone = new Set([...had ?? []].filter((endpoint) => !endpoints.has(endpoint)));
    if (!had?.size && endpoints.size > 0) stale.push({ front, gone, except: endpoints });
    else if (gone.size > 0) stale.push({ front, gone });
  }
  for (const [front, gone] of before ?? []) if (!after?.has(front) && gone.size > 0) stale.push({ front, gone });
  return stale;
}

/** Whether a flow, sent to `to` and answered by `by`, is among them. `ownAddress` says which addresses are the node's. */
export function staleFlowTest(stale: readonly StaleFlows[], ownAddress: (address: string) => boolean): (to: EndpointAddress, by: EndpointAddress) => boolean {
  const byFront = Map.groupBy(stale, ({ front }) => front);
  return (to, by) => {
    const fronts = [...byFront.get(keyOf(to)) ?? [], ...(ownAddress(to.ip) ? byFront.get(String(to.port)) ?? [] : [])];
    const endpoint = keyOf(by);
    return fronts.some(({ gone, except }) => gone.has(endpoint) || (except !== undefined && !except.has(endpoint)));
  };
}
