import { createPublicKey, randomUUID, type KeyObject } from "node:crypto";
import { calculateJwkThumbprint, exportJWK, SignJWT, type JWK } from "jose";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import type { TokenIssuer } from "../../registry/token-issuer.ts";
import { legacyClaim, legacyIssuer } from "./legacy-service-account.ts";
import type { KubernetesClaims } from "./service-account.ts";

/** The keys that verify tokens, as the OIDC documents and the authenticator need them. */
export interface ServiceAccountKeys {
  issuer: string;
  /** Where others read `jwks`. */
  jwksUri: string;
  /** By key id. */
  verification: ReadonlyMap<string, KeyObject>;
  jwks: { keys: JWK[] };
}

export interface ServiceAccountTokenOptions {
  issuer: string;
  /** Default: below the issuer. */
  jwksUri?: string;
  /** A P-256 private key. */
  signingKey: KeyObject;
  /** Public keys of former signing keys, still accepted. */
  formerKeys?: readonly KeyObject[];
  /** Default audiences; the API server's own. */
  audiences: readonly string[];
  /** By `namespace/name`: tokens of a pod name its node as well. */
  getPod?(key: string): Frozen<Pod> | undefined;
  getNodeUid?(name: string): string | undefined;
  now(): number;
}

/** Signs the token that a Secret of type kubernetes.io/service-account-token holds: it has no end but the Secret's. */
export type LegacyTokenIssuer = (account: { namespace: string; name: string; uid: string; secretName: string }) => Promise<string>;

/** Seconds; Kubernetes' bounds. */
const leastLifetime = 600, mostLifetime = 2 ** 32;
/**
 * Tokens that admission mounts into pods ask for this lifetime. They are good for a year, for old clients that never read the file again;
 * `warnafter` says when a client should have. Source: kubernetes pkg/serviceaccount, --service-account-extend-token-expiration.
 */
const mountedLifetime = 3607, extendedLifetime = 365 * 24 * 3600;

export async function serviceAccountTokens(options: ServiceAccountTokenOptions): Promise<{ issuer: TokenIssuer; issueLegacy: LegacyTokenIssuer; keys: ServiceAccountKeys }> {
  const publicKeys = [createPublicKey(options.signingKey), ...options.formerKeys ?? []];
  const jwks = await Promise.all(publicKeys.map(publicJwk));
  const keyId = jwks[0]!.kid!;
  return {
    keys: { issuer: options.issuer, jwksUri: options.jwksUri ?? `${options.issuer.replace(/\/$/, "")}/openid/v1/jwks`, verification: new Map(jwks.map((jwk, i) => [jwk.kid!, publicKeys[i]!])), jwks: { keys: jwks } },
    issueLegacy: ({ namespace, name, uid, secretName }) => new SignJWT({
      [legacyClaim.namespace]: namespace, [legacyClaim.secret]: secretName, [legacyClaim.name]: name, [legacyClaim.uid]: uid,
    }).setProtectedHeader({ alg: "ES256", kid: keyId }).setIssuer(legacyIssuer).setSubject(`system:serviceaccount:${namespace}:${name}`).sign(options.signingKey),
    issuer: {
      audiences: options.audiences,
      async issue({ serviceAccount, audiences, expirationSeconds, bound }) {
        const { namespace, name, uid } = serviceAccount.metadata;
        const issuedAt = Math.floor(options.now() / 1000);
        const expires = issuedAt + Math.min(Math.max(expirationSeconds, leastLifetime), mostLifetime);
        const extended = bound?.kind === "Pod" && expirationSeconds === mountedLifetime && isOwnAudience(audiences, options.audiences);
        const claims: KubernetesClaims = {
          namespace: namespace!, serviceaccount: { name: name!, uid: uid! }, ...boundClaims(options, namespace!, bound), ...(extended ? { warnafter: expires } : {}),
        };
        const token = await new SignJWT({ "kubernetes.io": claims })
          .setProtectedHeader({ alg: "ES256", kid: keyId })
          .setIssuer(options.issuer).setSubject(`system:serviceaccount:${namespace}:${name}`).setAudience([...(audiences.length ? audiences : options.audiences)])
          .setIssuedAt(issuedAt).setNotBefore(issuedAt).setExpirationTime(extended ? issuedAt + extendedLifetime : expires).setJti(randomUUID())
          .sign(options.signingKey);
        return { token, expirationTimestamp: new Date(expires * 1000).toISOString().replace(".000Z", "Z") };
      },
    },
  };
}

const isOwnAudience = (audiences: readonly string[], own: readonly string[]): boolean => audiences.every((audience) => own.includes(audience));

async function publicJwk(key: KeyObject): Promise<JWK> {
  const jwk = await exportJWK(key);
  return { ...jwk, use: "sig", alg: "ES256", kid: await calculateJwkThumbprint(jwk) };
}

type Bound = Parameters<TokenIssuer["issue"]>[0]["bound"];

function boundClaims({ getPod, getNodeUid }: ServiceAccountTokenOptions, namespace: string, bound: Bound): Partial<KubernetesClaims> {
  if (!bound) return {};
  const { kind, name, uid } = bound;
  if (kind !== "Pod") return { [kind.toLowerCase()]: { name, uid } };
  const nodeName = getPod?.(`${namespace}/${name}`)?.spec.nodeName;
  const nodeUid = nodeName ? getNodeUid?.(nodeName) : undefined;
  return { pod: { name, uid }, ...(nodeName && nodeUid ? { node: { name: nodeName, uid: nodeUid } } : {}) };
}
