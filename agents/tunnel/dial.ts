import { proxyFor } from "../../src/base/proxy/environment.ts";
import { dialTls, type DialTls } from "../../src/base/stream/dial.ts";
import { beside, connectPath, purposeField, serverIdField } from "../../src/base/tunnel/connect.ts";
import { mostMessage, tunnelProtocol } from "../../src/base/tunnel/frames.ts";
import { openWebSocket, WebSocketRefused } from "../../src/base/websocket/client.ts";
import type { WebSocketConnection } from "../../src/base/websocket/websocket.ts";

/** For the connection, and for the handshake. */
const timeoutMs = 10_000;

export interface DialledTunnel {
  socket: WebSocketConnection;
  /** This machine's address in it. */
  localAddress: string;
  /** Another for each server, whatever it was called by. */
  serverId: string;
}

/** A tunnel beside another was not wanted: the server has one to this node. */
export class AlreadyConnected extends Error {
  override readonly name = "AlreadyConnected";
  constructor(readonly serverId: string, cause: Error) {
    super(cause.message, { cause });
  }
}

/**
 * Opens the WebSocket to a server, such as `https://10.0.0.1:6443`. Rejects with a `WebSocketRefused` when a server answers, but not so; `isBeside` also
 * with `AlreadyConnected`.
 */
export async function dialTunnel(server: string, tls: DialTls, isBeside: boolean): Promise<DialledTunnel> {
  const { hostname, port, host } = new URL(server);
  const proxy = proxyFor(server);
  const { connection, localAddress } = await dialTls({ hostname: hostname.replace(/^\[|\]$/g, ""), port: Number(port || 443), timeoutMs, tls, ...(proxy ? { proxy } : {}) });
  try {
    const { socket, fields } = await openWebSocket(connection, { host, url: connectPath, protocol: tunnelProtocol, timeoutMs, maxMessageBytes: mostMessage, headers: isBeside ? { [purposeField]: beside } : {} });
    return { socket, localAddress, serverId: fields.get(serverIdField) ?? server };
  } catch (error) {
    throw isBeside && error instanceof WebSocketRefused && error.status === 409 ? new AlreadyConnected(error.fields.get(serverIdField) ?? server, error) : error;
  }
}
