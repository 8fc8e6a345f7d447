import { dialTls, type DialTls } from "../../src/base/stream/dial.ts";
import { connectPath } from "../../src/base/tunnel/connect.ts";
import { mostMessage, tunnelProtocol } from "../../src/base/tunnel/frames.ts";
import { openWebSocket } from "../../src/base/websocket/client.ts";
import type { WebSocketConnection } from "../../src/base/websocket/websocket.ts";

/** For the connection, and for the handshake. */
const timeoutMs = 10_000;

export interface DialledTunnel {
  socket: WebSocketConnection;
  /** This machine's address in it. */
  localAddress: string;
}

/** Opens the WebSocket to a server, such as `https://10.0.0.1:6443`. Rejects with a `WebSocketRefused` when a server answers, but not so. */
export async function dialTunnel(server: string, tls: DialTls): Promise<DialledTunnel> {
  const { hostname, port, host } = new URL(server);
  const { connection, localAddress } = await dialTls({ hostname: hostname.replace(/^\[|\]$/g, ""), port: Number(port || 443), timeoutMs, tls });
  return { socket: await openWebSocket(connection, { host, url: connectPath, protocol: tunnelProtocol, timeoutMs, maxMessageBytes: mostMessage }), localAddress };
}
