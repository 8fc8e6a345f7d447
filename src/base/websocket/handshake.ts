import { createHash } from "node:crypto";
import type { HeaderFields } from "../http.ts";

const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const key = /^[A-Za-z0-9+/]{22}==$/;

/** The `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key` (RFC 6455 section 4.2.2). */
export const acceptKey = (clientKey: string): string => createHash("sha1").update(clientKey + guid).digest("base64");

/** The members of a comma-separated header field. */
export const listed = (field: string | undefined): string[] => (field ?? "").split(",").map((member) => member.trim()).filter((member) => member !== "");

export const isWebSocketUpgrade = (headers: Readonly<Record<string, string>>): boolean =>
  headers["upgrade"]?.toLowerCase() === "websocket" && listed(headers["connection"]?.toLowerCase()).includes("upgrade");

export interface Agreement {
  /** Fields of the 101 response. */
  headers: HeaderFields;
  /** The subprotocol; "" when the client asked for none. */
  protocol: string;
}

/**
 * What to answer to a client's opening handshake: the first of its subprotocols that is in `supported`. A string says what is wrong with
 * it. A client that asks for no subprotocol gets none, if `supported` has "".
 */
export function agree({ method, headers }: { method: string; headers: Readonly<Record<string, string>> }, supported: readonly string[]): Agreement | string {
  if (method !== "GET" || !isWebSocketUpgrade(headers)) return "not a WebSocket handshake";
  if (headers["sec-websocket-version"] !== "13") return "only WebSocket version 13 is supported";
  const clientKey = headers["sec-websocket-key"] ?? "";
  if (!key.test(clientKey)) return "malformed Sec-WebSocket-Key";
  const offered = listed(headers["sec-websocket-protocol"]);
  const protocol = offered.length === 0 ? (supported.includes("") ? "" : undefined) : offered.find((one) => supported.includes(one));
  if (protocol === undefined) return `none of the subprotocols is supported; supported are ${supported.filter((one) => one !== "").join(", ")}`;
  return {
    protocol,
    headers: {
      Upgrade: "websocket", Connection: "Upgrade", "Sec-WebSocket-Accept": acceptKey(clientKey),
      ...(protocol === "" ? {} : { "Sec-WebSocket-Protocol": protocol }),
    },
  };
}
