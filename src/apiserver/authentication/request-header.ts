import type { HttpRequest } from "../../base/http.ts";
import type { UserInfo } from "../../registry/attributes.ts";
import type { Authenticator } from "./authenticator.ts";
import { fieldValues, unescapeKey } from "./field-values.ts";

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
      const { peer } = request;
      const [name] = fieldValues(request, "x-remote-user");
      if (!peer?.frontProxy || !name || (allowedNames.length > 0 && !allowedNames.includes(peer.commonName))) return undefined;
      const [uid] = fieldValues(request, "x-remote-uid");
      const extra = extraOf(request);
      return { name, ...(uid ? { uid } : {}), groups: fieldValues(request, "x-remote-group"), ...(Object.keys(extra).length ? { extra } : {}) } satisfies UserInfo;
    },
  };
}

const extraPrefix = "x-remote-extra-";

function extraOf(request: HttpRequest): Record<string, readonly string[]> {
  const extra: Record<string, readonly string[]> = {};
  for (const name of Object.keys(request.headers)) if (name.startsWith(extraPrefix)) extra[unescapeKey(name.slice(extraPrefix.length))] = fieldValues(request, name);
  return extra;
}
