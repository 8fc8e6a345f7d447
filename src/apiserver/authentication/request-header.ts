import type { HttpRequest } from "../../base/http.ts";
import type { UserInfo } from "../../registry/attributes.ts";
import type { Authenticator } from "./authenticator.ts";

/** Whom the certificate of the front proxy may be called; empty for anybody its CA knows. */
export interface RequestHeaderOptions {
  allowedNames: readonly string[];
}

/**
 * Believes a front proxy, known by a certificate of its own CA, who its user is: `X-Remote-User` and its sisters.
 * Source: k8s.io/apiserver/pkg/authentication/request/headerrequest.
 */
export function requestHeaderAuthenticator({ allowedNames }: RequestHeaderOptions): Authenticator {
  return {
    authenticate(request) {
      const { peer, headers } = request;
      const name = headers["x-remote-user"];
      if (!peer?.frontProxy || !name || (allowedNames.length > 0 && !allowedNames.includes(peer.commonName))) return undefined;
      const uid = headers["x-remote-uid"];
      const extra = extraOf(request);
      return { name, ...(uid ? { uid } : {}), groups: valuesOf(headers["x-remote-group"]), ...(Object.keys(extra).length ? { extra } : {}) } satisfies UserInfo;
    },
  };
}

/** The front joins repeated fields with a comma. */
const valuesOf = (joined: string | undefined): string[] => joined?.split(",").map((value) => value.trim()).filter((value) => value !== "") ?? [];

const extraPrefix = "x-remote-extra-";

function extraOf({ headers }: HttpRequest): Record<string, string[]> {
  const extra: Record<string, string[]> = {};
  for (const name of Object.keys(headers)) if (name.startsWith(extraPrefix)) extra[unescapeKey(name.slice(extraPrefix.length))] = valuesOf(headers[name]);
  return extra;
}

function unescapeKey(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}
