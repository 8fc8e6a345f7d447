import type { KubeObject } from "../../apimachinery/meta.ts";
import { badRequest, type StatusError } from "../../apimachinery/status.ts";
import { agree } from "../../base/websocket/handshake.ts";
import { WebSocketConnection } from "../../base/websocket/websocket.ts";
import type { WatchEvent } from "../../client/client.ts";
import { errorEvent } from "../encoding/watch-frames.ts";
import { mostHeld, type WatchOutput, type WatchOutputParts } from "./watch-stream.ts";

/** Each event is one message, as browsers' clients read watches. What the client sends is ignored. */
export class WatchWebSocket implements WatchOutput {
  private socket: WebSocketConnection | undefined;
  private anySent = false;

  constructor(private readonly parts: WatchOutputParts) {}

  get started(): boolean {
    return this.socket !== undefined;
  }

  start(): WebSocketConnection {
    if (this.socket) return this.socket;
    const { exchange, abort } = this.parts;
    const { request, response } = exchange;
    const agreement = agree(request, ["", "base64.binary.k8s.io", "binary.k8s.io"]);
    if (typeof agreement === "string") throw badRequest(agreement);
    exchange.status = 101;
    const socket = new WebSocketConnection(response.upgrade(agreement.headers), { role: "server", maxMessageBytes: 64 << 10 });
    socket.onClose = abort;
    return this.socket = socket;
  }

  send(events: readonly WatchEvent<KubeObject>[]): void {
    const { format } = this.parts;
    for (const event of events) {
      const chosen = this.anySent ? format.next : format.first;
      this.anySent = true;
      const message = chosen.encode(event.type, event.object, "previous" in event ? event.previous : undefined);
      if (message.length > 0) this.message(message);
    }
  }

  fail(error: StatusError): void {
    this.message(errorEvent(this.parts.encoding, error));
  }

  /** A client that reads too slowly is cut off, and lists again. */
  private message(payload: Buffer): void {
    const socket = this.start();
    if (socket.send(payload, !this.parts.encoding.isText) || socket.queuedBytes <= mostHeld) return;
    socket.destroy();
    this.parts.abort();
  }

  end(): void {
    this.socket?.close();
  }
}
