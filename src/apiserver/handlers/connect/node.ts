import { internalError } from "../../../apimachinery/status.ts";
import type { HttpRequest } from "../../../base/http.ts";
import type { Exchange } from "../../exchange.ts";
import type { NodeConnector } from "../handler.ts";

/** Hands the exchange to a node's kubelet under the kubelet's own path; response and upgrades are the kubelet's from here on. */
export async function handToNode(nodes: NodeConnector, exchange: Exchange, nodeName: string, path: string, query: URLSearchParams | string): Promise<void> {
  const kubelet = nodes.connect(nodeName);
  if (!kubelet) throw internalError(new Error(`error dialing backend: node ${JSON.stringify(nodeName)} is not connected`));
  const search = String(query);
  // The kubelet answers from now on; its code is not seen here.
  exchange.status = 200;
  await kubelet(atUrl(exchange.request, search ? `${path}?${search}` : path), exchange.response);
}

function atUrl(request: HttpRequest, url: string): HttpRequest {
  return {
    method: request.method, url, headers: request.headers, peer: request.peer, peerError: request.peerError, remoteAddress: request.remoteAddress,
    body: () => request.body(),
    get signal() {
      return request.signal;
    },
  };
}
