import type { Frozen } from "../../src/apimachinery/meta.ts";
import type { EndpointSlice } from "../../src/apis/generated/discovery/v1.ts";

export interface EndpointAddress {
  ip: string;
  port: number;
}

/** An endpoint of one port, with what decides who is sent to it. */
export interface Endpoint extends EndpointAddress {
  ready: boolean;
  serving: boolean;
  terminating: boolean;
  /** On this node. */
  local: boolean;
  forNodes: readonly string[];
  forZones: readonly string[];
}

/** Where this node is. */
export interface Place {
  nodeName: string;
  /** Label topology.kubernetes.io/zone. */
  zone: string | undefined;
}

/** The endpoints of the port of that name and protocol, each once, in a stable order. Where slices contradict each other, a ready one counts. */
export function endpointsOf(slices: Iterable<Frozen<EndpointSlice>>, portName: string, protocol: string, { nodeName }: Place): Endpoint[] {
  const found = new Map<string, Endpoint>();
  for (const slice of slices) {
    const port = slice.ports?.find((one) => (one.name ?? "") === portName && (one.protocol ?? "TCP") === protocol)?.port;
    if (!port) continue;
    for (const { addresses, conditions, nodeName: on, hints } of slice.endpoints ?? []) {
      const ip = addresses[0], ready = conditions?.ready !== false;
      if (ip === undefined || (found.get(`${ip} ${port}`)?.ready && !ready)) continue;
      found.set(`${ip} ${port}`, {
        ip, port, ready, serving: conditions?.serving ?? ready, terminating: conditions?.terminating ?? false, local: on === nodeName,
        forNodes: (hints?.forNodes ?? []).map(({ name }) => name), forZones: (hints?.forZones ?? []).map(({ name }) => name),
      });
    }
  }
  return [...found.keys()].sort().map((key) => found.get(key)!);
}

export interface Choice {
  /** For traffic policy Cluster. */
  cluster: Endpoint[];
  /** For traffic policy Local: on this node alone. */
  local: Endpoint[];
  /** Whether there is anything to be sent to on any node. */
  any: boolean;
}

/**
 * Which endpoints this node sends to: the ready ones, those hinted for this node or zone where hints are complete and name it; while none
 * is ready, those that still serve although they are ending (KEP-1669), for each policy by itself. Source: CategorizeEndpoints of pkg/proxy.
 */
export function chooseEndpoints(all: readonly Endpoint[], place: Place): Choice {
  const ready = all.filter((endpoint) => endpoint.ready), ending = all.filter(({ ready: isReady, serving, terminating }) => !isReady && serving && terminating);
  const localReady = ready.filter(({ local }) => local);
  return {
    cluster: ready.length > 0 ? hinted(ready, place) : ending,
    local: localReady.length > 0 ? localReady : ending.filter(({ local }) => local),
    any: ready.length + ending.length > 0,
  };
}

/** Hints count only when every endpoint has one, and one is for this node, or else this zone. */
function hinted(ready: Endpoint[], { nodeName, zone }: Place): Endpoint[] {
  for (const [hintsOf, name] of [[(endpoint: Endpoint) => endpoint.forNodes, nodeName], [(endpoint: Endpoint) => endpoint.forZones, zone]] as const) {
    if (name === undefined || !ready.every((endpoint) => hintsOf(endpoint).length > 0)) continue;
    const near = ready.filter((endpoint) => hintsOf(endpoint).includes(name));
    if (near.length > 0) return near;
  }
  return ready;
}
