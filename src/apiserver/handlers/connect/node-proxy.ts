import type { Frozen } from "../../../apimachinery/meta.ts";
import { badRequest } from "../../../apimachinery/status.ts";
import type { Node } from "../../../apis/generated/core/v1.ts";
import type { ResourceHandler } from "../handler.ts";
import { handToNode } from "./node.ts";
import { isLocal, pathBehindProxy, redirectedToRoot, searchOf, splitTarget } from "./proxy-target.ts";
import { forward } from "./reverse-proxy.ts";

/** `/api/v1/nodes/[scheme:]NAME[:PORT]/proxy/PATH`: the kubelet's own paths, such as metrics, or another port of its machine. */
export const nodeProxy: ResourceHandler = async ({ registry, nodes }, exchange, card) => {
  const { scheme, name, port } = splitTarget("node", exchange.info.name);
  const node = await registry.get(card, { name }) as Frozen<Node>;
  const path = pathBehindProxy(exchange.request.url), search = searchOf(exchange.request.url);
  if (redirectedToRoot(exchange)) return;
  if (port === "" || Number(port) === (node.status?.daemonEndpoints?.kubeletEndpoint?.Port || kubeletPort)) return handToNode(nodes, exchange, name, path, search);
  // Names are left out: who writes a node's status could have one lead here.
  const addresses = node.status?.addresses ?? [];
  const host = (addresses.find(({ type }) => type === "InternalIP") ?? addresses.find(({ type }) => type === "ExternalIP"))?.address;
  if (!host || isLocal(host)) throw badRequest("address not allowed");
  if (!/^\d+$/.test(port)) throw badRequest(`invalid node request ${JSON.stringify(exchange.info.name)}`);
  await forward(exchange, { scheme, host, port: Number(port), path, search }, nodes.network?.(name));
};

const kubeletPort = 10250;
