import { badRequest } from "../../../apimachinery/status.ts";
import type { HttpRequest, HttpResponse } from "../../../base/http.ts";
import { agree, isWebSocketUpgrade } from "../../../base/websocket/handshake.ts";
import { WebSocketConnection } from "../../../base/websocket/websocket.ts";
import type { Exchange } from "../../exchange.ts";

/** What clients call messages of bytes, and messages of their base64 text. Without a word they get bytes. Source: k8s.io/apimachinery/pkg/util/httpstream/wsstream */
const binary = "binary.k8s.io", base64 = "base64.binary.k8s.io";

/**
 * The exchange as whoever answers with a stream sees it: when its client has opened a WebSocket, the stream's bytes go out as messages, and its
 * end closes the connection. A refusal is still a plain answer. Others' exchanges are returned as they are. Throws a 400 for a handshake that can't be met.
 */
export function streamedAsMessages(exchange: Exchange): Exchange {
  const { request, response } = exchange;
  if (!isWebSocketUpgrade(request.headers)) return exchange;
  const agreement = agree(request, ["", binary, base64]);
  if (typeof agreement === "string") throw badRequest(agreement);
  const isText = agreement.protocol === base64;
  return {
    ...exchange, request: withoutUpgrade(request),
    response: {
      get started() {
        return response.started;
      },
      send: (status, headers, body) => response.send(status, headers, body),
      upgrade: (headers) => response.upgrade(headers),
      stream() {
        const socket = new WebSocketConnection(response.upgrade(agreement.headers), { role: "server", maxMessageBytes: 64 << 10 });
        const write = (chunk: Uint8Array | string): boolean => socket.send(isText ? Buffer.from(Buffer.from(chunk as string).toString("base64")) : Buffer.from(chunk as string), !isText);
        return {
          write, writeFramed: (framed) => write(framed.subarray(framed.indexOf(0x0a) + 1, -2)),
          get queuedBytes() {
            return socket.queuedBytes;
          },
          drained: () => socket.drained(), end: () => socket.close(), abort: () => socket.destroy(),
        };
      },
    } satisfies HttpResponse,
  };
}

/** What is asked of the node is no upgrade. */
function withoutUpgrade(request: HttpRequest): HttpRequest {
  const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => name !== "upgrade" && name !== "connection" && !name.startsWith("sec-websocket-")));
  return {
    method: request.method, url: request.url, headers, peer: request.peer, peerError: request.peerError, remoteAddress: request.remoteAddress,
    body: () => request.body(),
    get signal() {
      return request.signal;
    },
  };
}
