import type { Clock } from "../../../src/base/clock.ts";
import { serviceaccounts } from "../../../src/apis/core/serviceaccount.ts";
import type { TokenRequest } from "../../../src/apis/generated/authentication/v1.ts";
import type { Client } from "../../../src/client/client.ts";
import type { ServiceAccountToken, VolumeSources } from "./volume.ts";

/** Tokens bound to their pod, asked for again when four fifths of their life are over; kept by pod, audience and lifetime until then. */
export function serviceAccountTokens(client: Client, clock: Clock): VolumeSources["token"] {
  const known = new Map<string, ServiceAccountToken>();
  return async (pod, audience, expirationSeconds) => {
    const { namespace, name, uid } = pod.metadata;
    const key = `${uid}/${audience ?? ""}/${expirationSeconds}`;
    const current = known.get(key);
    if (current && clock.now() < current.expiresAt - expirationSeconds * 1000 * 0.2) return current;
    for (const [other, { expiresAt }] of known) if (expiresAt < clock.now()) known.delete(other);
    const body: TokenRequest = {
      apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", metadata: {},
      spec: { audiences: audience === undefined ? [] : [audience], expirationSeconds, boundObjectRef: { apiVersion: "v1", kind: "Pod", name, uid } },
    };
    const { status } = await client.createSubresource<TokenRequest>(serviceaccounts, { namespace, name: pod.spec.serviceAccountName || "default" }, "token", body);
    if (!status) throw new Error(`no token was issued for service account ${namespace}/${pod.spec.serviceAccountName}`);
    const token = { token: status.token, expiresAt: Date.parse(status.expirationTimestamp as string) };
    known.set(key, token);
    return token;
  };
}
