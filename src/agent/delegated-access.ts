import { createHash } from "node:crypto";
import { unauthorized } from "../apimachinery/status.ts";
import { subjectaccessreviews } from "../apis/authorization/accessreviews.ts";
import { tokenreviews } from "../apis/authentication/tokenreview.ts";
import { bearerTokenAuthenticator } from "../apiserver/authentication/bearer-token.ts";
import { x509Authenticator } from "../apiserver/authentication/x509.ts";
import type { Clock } from "../base/clock.ts";
import type { Client } from "../client/client.ts";
import type { Decision, UserInfo } from "../registry/attributes.ts";
import type { KubeletAccess } from "../server/kubelet-access.ts";

const minute = 60_000;
/** As long as the kubelet believes an answer by default, in milliseconds (authentication.webhook.cacheTTL, authorization.webhook). */
const tokenMs = 2 * minute, allowedMs = 5 * minute, deniedMs = 30_000;
const most = 256;

/**
 * Who may use the kubelet's port, as the API server says: certificates are checked here, tokens by TokenReview, rights by SubjectAccessReview.
 * Source: https://kubernetes.io/docs/reference/access-authn-authz/kubelet-authn-authz/
 */
export function delegatedAccess({ nodeName, client, clock }: { nodeName: string; client: Client; clock: Clock }): KubeletAccess {
  const users = cached<UserInfo | undefined>(clock, () => tokenMs);
  const decisions = cached<Decision>(clock, ({ allowed }) => (allowed ? allowedMs : deniedMs));

  async function review(token: string): Promise<UserInfo | undefined> {
    const { status } = await client.create(tokenreviews, { metadata: {}, spec: { token } });
    if (!status?.authenticated) return undefined;
    const { username = "", uid, groups = [], extra } = status.user ?? {};
    return { name: username, groups, ...(uid ? { uid } : {}), ...(extra ? { extra } : {}) };
  }

  return {
    nodeName,
    authenticators: [x509Authenticator(), bearerTokenAuthenticator([{
      async authenticateToken(token) {
        const user = await users(createHash("sha256").update(token).digest("hex"), () => review(token));
        if (!user) throw unauthorized();
        return { user, audiences: [] };
      },
    }])],
    authorizer: {
      authorize: ({ user, verb, group, version, resource, subresource, namespace, name }) => decisions(JSON.stringify([user, verb, group, resource, subresource, namespace, name]), async () => {
        const { name: userName, groups, uid, extra } = user;
        const spec = { user: userName, groups: [...groups], ...(uid ? { uid } : {}), ...(extra ? { extra: structuredClone(extra) as Record<string, string[]> } : {}), resourceAttributes: { verb, group, version, resource, subresource, namespace, name } };
        const { status } = await client.create(subjectaccessreviews, { metadata: {}, spec });
        return { allowed: status?.allowed === true, reason: status?.reason ?? "" };
      }),
    },
  };
}

/** Remembers answers for as long as `lifetime` says of each, and of failures nothing. */
function cached<T>(clock: Clock, lifetime: (value: T) => number): (key: string, ask: () => Promise<T>) => Promise<T> {
  const known = new Map<string, { value: T; until: number }>();
  return async (key, ask) => {
    const remembered = known.get(key);
    if (remembered && clock.monotonic() < remembered.until) return remembered.value;
    const value = await ask();
    known.delete(key);
    if (known.size >= most) known.delete(known.keys().next().value!);
    known.set(key, { value, until: clock.monotonic() + lifetime(value) });
    return value;
  };
}
