import { badRequest, internalError, noSuchPath, StatusError } from "../../../apimachinery/status.ts";
import type { HttpRequest, HttpResponse } from "../../../base/http.ts";
import type { Exchange } from "../../exchange.ts";
import type { NodeConnector } from "../handler.ts";

/** Hands the exchange to a node's kubelet under the kubelet's own path; response and upgrades are the kubelet's from here on. */
export async function handToNode(nodes: NodeConnector, exchange: Exchange, nodeName: string, path: string, query: URLSearchParams | string, response: HttpResponse = exchange.response): Promise<void> {
  const kubelet = nodes.connect(nodeName);
  if (!kubelet) throw internalError(new Error(`error dialing backend: node ${JSON.stringify(nodeName)} is not connected`));
  const search = String(query);
  // The kubelet answers from now on; its code is not seen here.
  exchange.status = 200;
  await kubelet(atUrl(exchange.request, search ? `${path}?${search}` : path), response);
}

/** As `handToNode`, for answers that are read and not streamed both ways: what the kubelet refuses in plain text is thrown as a Status with these words. */
export async function askNode(nodes: NodeConnector, exchange: Exchange, nodeName: string, path: string, query: URLSearchParams): Promise<void> {
  const { response } = exchange;
  let refusal: StatusError | undefined;
  await handToNode(nodes, exchange, nodeName, path, query, {
    get started() {
      return response.started || refusal !== undefined;
    },
    send(status, headers, body = "") {
      if (status < 400) response.send(status, headers, body);
      else refusal = refusalOf(status, Buffer.from(body as string).toString());
    },
    stream: (status, headers) => response.stream(status, headers),
    upgrade: (headers) => response.upgrade(headers),
  });
  if (refusal) throw refusal;
}

/** Source: k8s.io/apiserver/pkg/registry/generic/rest GenericHttpResponseChecker. */
function refusalOf(status: number, text: string): StatusError {
  if (status === 400) return badRequest(text);
  if (status === 404) return new StatusError({ ...noSuchPath().status, message: text });
  return internalError(new Error(text));
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
