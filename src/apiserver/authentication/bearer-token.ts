import { unauthorized } from "../../apimachinery/status.ts";
import type { HttpRequest } from "../../base/http.ts";
import type { Authenticator, TokenAuthenticator } from "./authenticator.ts";

/** `Authorization: Bearer …`, or the WebSocket subprotocol that browsers use instead; asked of each kind of token in order. */
export function bearerTokenAuthenticator(kinds: readonly TokenAuthenticator[]): Authenticator {
  return {
    async authenticate(request) {
      const token = tokenOf(request);
      if (token === undefined) return undefined;
      for (const kind of kinds) {
        const found = await kind.authenticateToken(token);
        if (found) return found.user;
      }
      throw unauthorized();
    },
  };
}

const protocolPrefix = "base64url.bearer.authorization.k8s.io.";

function tokenOf({ headers }: HttpRequest): string | undefined {
  // As k8s.io/apiserver reads it: what follows one space, up to the next.
  const [scheme = "", token] = (headers["authorization"] ?? "").trim().split(" ");
  if (scheme.toLowerCase() === "bearer" && token) return token;
  const protocol = headers["sec-websocket-protocol"]?.split(",").map((each) => each.trim()).find((each) => each.startsWith(protocolPrefix));
  return protocol === undefined ? undefined : Buffer.from(protocol.slice(protocolPrefix.length), "base64url").toString();
}
