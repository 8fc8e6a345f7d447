import type { KeyObject } from "node:crypto";
import { errors, jwtVerify, type JWTPayload } from "jose";
import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import { unauthorized } from "../../apimachinery/status.ts";
import type { UserInfo } from "../../registry/attributes.ts";
import type { TokenAuthenticator, TokenUser } from "./authenticator.ts";

/** The private claims of a service-account token. */
export interface KubernetesClaims {
  namespace: string;
  serviceaccount: { name: string; uid: string };
  pod?: { name: string; uid: string };
  secret?: { name: string; uid: string };
  node?: { name: string; uid: string };
  /** Seconds since the epoch: when a client should have replaced the token. */
  warnafter?: number;
}

/** Finds live objects, so that a token dies with what it is bound to. Keys as `keyOf`. */
export interface BoundObjects {
  serviceAccount(key: string): Frozen<KubeObject> | undefined;
  pod(key: string): Frozen<KubeObject> | undefined;
  secret(key: string): Frozen<KubeObject> | undefined;
  node(name: string): Frozen<KubeObject> | undefined;
}

export interface ServiceAccountAuthenticatorOptions {
  /** Public keys by key id; several while a key is being replaced. */
  keys: ReadonlyMap<string, KeyObject>;
  /** Whose tokens are good: the issuer, and those it was before. */
  issuers: readonly string[];
  /** What a token must be for, unless a TokenReview asks for another. */
  audiences: readonly string[];
  objects: BoundObjects;
  now(): number;
}

/** Verified signatures remembered; the objects are looked up at each use all the same. */
const mostRemembered = 1024;

export function serviceAccountAuthenticator(options: ServiceAccountAuthenticatorOptions): TokenAuthenticator {
  const verified = new Map<string, JWTPayload>();

  async function verify(token: string): Promise<JWTPayload> {
    const known = verified.get(token);
    if (known && known.exp! * 1000 > options.now()) return known;
    const { payload } = await jwtVerify(token, (header) => options.keys.get(header.kid ?? "") ?? Promise.reject(new errors.JWKSNoMatchingKey()), {
      issuer: [...options.issuers], algorithms: ["ES256"], requiredClaims: ["exp", "sub"], currentDate: new Date(options.now()),
    });
    if (verified.size >= mostRemembered) verified.delete(verified.keys().next().value!);
    verified.set(token, payload);
    return payload;
  }

  return {
    async authenticateToken(token, asked) {
      if (!isOurs(token, options.issuers)) return undefined;
      try {
        const payload = await verify(token);
        const wanted = asked?.length ? asked : options.audiences;
        const held = [payload.aud ?? []].flat();
        const audiences = wanted.filter((audience) => held.includes(audience));
        if (audiences.length === 0) throw unauthorized();
        return { user: userOf(payload, options.objects), audiences } satisfies TokenUser;
      } catch (error) {
        if (error instanceof errors.JOSEError) throw unauthorized();
        throw error;
      }
    },
  };
}

/** A JWT that names an issuer of ours: only then is its fault ours to report. */
function isOurs(token: string, issuers: readonly string[]): boolean {
  const parts = token.split(".");
  if (parts.length !== 3) return false;
  try {
    return issuers.includes((JSON.parse(Buffer.from(parts[1]!, "base64url").toString()) as { iss: string }).iss);
  } catch {
    return false;
  }
}

function userOf(payload: JWTPayload, objects: BoundObjects): UserInfo {
  const claims = payload["kubernetes.io"] as KubernetesClaims | undefined;
  if (!claims?.namespace || !claims.serviceaccount?.name || payload.sub !== `system:serviceaccount:${claims.namespace}:${claims.serviceaccount.name}`) throw unauthorized();
  const { namespace, serviceaccount, pod, secret, node } = claims;
  mustBe(objects.serviceAccount(`${namespace}/${serviceaccount.name}`), serviceaccount);
  if (pod) mustBe(objects.pod(`${namespace}/${pod.name}`), pod);
  if (secret) mustBe(objects.secret(`${namespace}/${secret.name}`), secret);
  // A pod's token names its node for information; only a token bound to the node itself dies with it.
  if (node && !pod) mustBe(objects.node(node.name), node);
  const extra: Record<string, string[]> = payload.jti ? { "authentication.kubernetes.io/credential-id": [`JTI=${payload.jti}`] } : {};
  if (pod) Object.assign(extra, { "authentication.kubernetes.io/pod-name": [pod.name], "authentication.kubernetes.io/pod-uid": [pod.uid] });
  if (node) Object.assign(extra, { "authentication.kubernetes.io/node-name": [node.name], "authentication.kubernetes.io/node-uid": [node.uid] });
  return serviceAccountUser(namespace, serviceaccount.name, serviceaccount.uid, extra);
}

function mustBe(found: Frozen<KubeObject> | undefined, { uid }: { uid: string }): void {
  if (found?.metadata.uid !== uid) throw unauthorized();
}

/** The name and groups of a service account. */
export function serviceAccountUser(namespace: string, name: string, uid?: string, extra?: UserInfo["extra"]): UserInfo {
  return {
    name: `system:serviceaccount:${namespace}:${name}`, groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`],
    ...(uid ? { uid } : {}), ...(extra && Object.keys(extra).length ? { extra } : {}),
  };
}
