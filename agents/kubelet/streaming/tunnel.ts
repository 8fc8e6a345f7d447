import type { RawConnection } from "../../../src/base/http.ts";
import type { WebSocketConnection } from "../../../src/base/websocket/websocket.ts";
import { holdBack } from "./remote-command.ts";

/** Carries a byte stream in the binary messages of a WebSocket, whatever their boundaries (KEP-4006). */
export function joinTunnel(client: WebSocketConnection, runtime: RawConnection, early: Buffer): void {
  client.onMessage = (bytes) => {
    if (!runtime.write(bytes)) holdBack(client, runtime);
  };
  client.onClose = () => runtime.end();
  runtime.onData = (bytes) => {
    if (!client.send(bytes)) holdBack(runtime, client);
  };
  runtime.onClose = () => client.close(1000);
  if (early.length > 0) runtime.onData(early);
}
