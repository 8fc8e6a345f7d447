import { timingSafeEqual, type KeyObject } from "node:crypto";
import { decodeJwt, errors, jwtVerify, type JWTPayload } from "jose";
import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import { unauthorized } from "../../apimachinery/status.ts";
import type { Secret } from "../../apis/generated/core/v1.ts";
import type { TokenAuthenticator } from "./authenticator.ts";
import { serviceAccountUser } from "./service-account.ts";
import { rememberBriefly } from "./token-cache.ts";

export const legacyIssuer = "kubernetes/serviceaccount";
/** The private claims, as Kubernetes names them. */
export const legacyClaim = {
  namespace: "kubernetes.io/serviceaccount/namespace", secret: "kubernetes.io/serviceaccount/secret.name",
  name: "kubernetes.io/serviceaccount/service-account.name", uid: "kubernetes.io/serviceaccount/service-account.uid",
};

export interface LegacyTokenOptions {
  /** Public keys by key id. */
  keys: ReadonlyMap<string, KeyObject>;
  /** By `namespace/name`. */
  getSecret(key: string): Frozen<Secret> | undefined;
  getServiceAccount(key: string): Frozen<KubeObject> | undefined;
  /** Notes on the Secret that it was used today, `2026-11-21`; not awaited. */
  noteUse(secret: Frozen<Secret>, day: string): void;
  now(): number;
}

/**
 * Tokens kept in Secrets of type kubernetes.io/service-account-token: good while the Secret holds them and the account is there.
 * Source: kubernetes pkg/serviceaccount/legacy.go.
 */
export function legacyServiceAccountAuthenticator(options: LegacyTokenOptions): TokenAuthenticator {
  const verify = rememberBriefly(async (token: string) => {
    const { payload } = await jwtVerify(token, (header) => options.keys.get(header.kid ?? "") ?? Promise.reject(new errors.JWKSNoMatchingKey()), { issuer: legacyIssuer, algorithms: ["ES256"], requiredClaims: ["sub"] });
    return { value: payload, expires: Infinity };
  }, options);

  return {
    async authenticateToken(token) {
      if (!isLegacy(token)) return undefined;
      try {
        return { user: userOf(await verify(token), token, options), audiences: [] };
      } catch (error) {
        if (error instanceof errors.JOSEError) throw unauthorized();
        throw error;
      }
    },
  };
}

function isLegacy(token: string): boolean {
  try {
    return decodeJwt(token).iss === legacyIssuer;
  } catch {
    return false;
  }
}

function userOf(payload: JWTPayload, token: string, { getSecret, getServiceAccount, noteUse, now }: LegacyTokenOptions): ReturnType<typeof serviceAccountUser> {
  const [namespace, secretName, name, uid] = [legacyClaim.namespace, legacyClaim.secret, legacyClaim.name, legacyClaim.uid].map((claim) => String(payload[claim] ?? ""));
  if (payload.sub !== `system:serviceaccount:${namespace}:${name}`) throw unauthorized();
  const secret = getSecret(`${namespace}/${secretName}`);
  if (!secret || secret.metadata.deletionTimestamp || !isEqual(Buffer.from(secret.data?.["token"] ?? "", "base64"), Buffer.from(token))) throw unauthorized();
  const account = getServiceAccount(`${namespace}/${name}`);
  if (!account || account.metadata.deletionTimestamp || account.metadata.uid !== uid) throw unauthorized();
  const { labels = {} } = secret.metadata;
  const today = dayOf(now()), tomorrow = dayOf(now() + 24 * 3_600_000);
  const lastUsed = labels["kubernetes.io/legacy-token-last-used"];
  if (lastUsed !== today && lastUsed !== tomorrow) noteUse(secret, today);
  if (labels["kubernetes.io/legacy-token-invalid-since"]) throw unauthorized();
  return serviceAccountUser(namespace!, name!, uid);
}

const dayOf = (time: number): string => new Date(time).toISOString().slice(0, 10);
const isEqual = (a: Buffer, b: Buffer): boolean => a.length === b.length && timingSafeEqual(a, b);
