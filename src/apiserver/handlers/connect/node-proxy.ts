import { noSuchPath } from "../../../apimachinery/status.ts";
import { keyOfPath, type ResourceHandler } from "../handler.ts";
import { handToNode } from "./node.ts";

/** `/api/v1/nodes/NAME/proxy/PATH`: the kubelet's own paths, such as metrics. */
export const nodeProxy: ResourceHandler = async ({ registry, nodes }, exchange, card) => {
  const node = await registry.get(card, keyOfPath(exchange, card));
  await handToNode(nodes, exchange, node.metadata.name!, pathBehindProxy(exchange.request.url), searchOf(exchange.request.url));
};

/** What follows `/proxy` in the URL as sent, still percent-encoded; always begins with a slash. */
export function pathBehindProxy(url: string): string {
  const match = /^\/api\/v1\/(?:namespaces\/[^/]+\/)?[^/]+\/[^/]+\/proxy(\/[^?]*)?(?:\?|$)/.exec(url);
  if (!match) throw noSuchPath();
  return match[1] ?? "/";
}

export function searchOf(url: string): string {
  const mark = url.indexOf("?");
  return mark < 0 ? "" : url.slice(mark + 1);
}
