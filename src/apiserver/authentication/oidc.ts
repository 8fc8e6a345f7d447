import { createRemoteJWKSet, customFetch, decodeJwt, errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from "jose";
import { unauthorized } from "../../apimachinery/status.ts";
import { proxyOption } from "../../base/proxy/environment.ts";
import type { UserInfo } from "../../registry/attributes.ts";
import type { TokenAuthenticator } from "./authenticator.ts";
import { rememberBriefly, type Verified } from "./token-cache.ts";

/** One issuer whose ID tokens are good here. Source: k8s.io/apiserver plugin/pkg/authenticator/token/oidc. */
export interface OidcOptions {
  /** `https://…`, exactly as in the tokens' `iss`. */
  issuerUrl: string;
  /** Of these the token must have one as its audience. */
  audiences: readonly string[];
  /** Where the issuer's document is, unless it is at its usual place below `issuerUrl`. */
  discoveryUrl?: string;
  /** Who the claims of a good token say it is; throws when that is nobody who may come in. */
  userOf(claims: JWTPayload): UserInfo;
  /** PEM bundle for the issuer's certificate; the system's when there is none. */
  ca?: string;
  signingAlgorithms: readonly string[];
  /** Keys that are not known make the key set be read again, at most this often, in milliseconds. Default ten seconds. */
  keySetCooldown?: number;
  now(): number;
}

/** A token may be used this much before its `nbf`, as in Kubernetes; its end is its end. */
const notBeforeLeewaySeconds = 300;
/** An issuer that could not be reached is asked again after so long, in milliseconds. */
const retryAfter = 10_000;
const requestTimeout = 10_000;
const keySetAge = 10 * 60_000;

/** ID tokens of an OpenID Connect issuer. Its keys are read when the first token comes, and again when a token is signed by a new one. */
export function oidcAuthenticator(options: OidcOptions): TokenAuthenticator {
  const fetchOptions = { tls: options.ca ? { ca: options.ca } : {} };
  let keys: Promise<JWTVerifyGetKey> | undefined;
  let failedAt = -Infinity;

  async function discover(): Promise<JWTVerifyGetKey> {
    const url = options.discoveryUrl ?? `${options.issuerUrl.replace(/\/$/, "")}/.well-known/openid-configuration`;
    const response = await fetch(url, { ...fetchOptions, ...proxyOption(url), signal: AbortSignal.timeout(requestTimeout) });
    if (!response.ok) throw new Error(`${url} answers ${response.status}`);
    const document = await response.json() as { issuer?: string; jwks_uri?: string };
    if (document.issuer !== options.issuerUrl) throw new Error(`${url} is of the issuer ${JSON.stringify(document.issuer)}, not ${JSON.stringify(options.issuerUrl)}`);
    return createRemoteJWKSet(new URL(document.jwks_uri ?? ""), {
      timeoutDuration: requestTimeout, cooldownDuration: options.keySetCooldown ?? 10_000, cacheMaxAge: keySetAge,
      [customFetch]: (target, init) => fetch(target, { ...init, ...fetchOptions, ...proxyOption(target) }),
    });
  }

  function keySet(): Promise<JWTVerifyGetKey> {
    if (!keys && options.now() - failedAt >= retryAfter) {
      keys = discover();
      keys.catch(() => {
        keys = undefined;
        failedAt = options.now();
      });
    }
    return keys ?? Promise.reject(new Error(`the issuer ${options.issuerUrl} can't be reached`));
  }

  async function verify(token: string): Promise<Verified<UserInfo>> {
    const now = options.now();
    const { payload } = await jwtVerify(token, await keySet(), {
      issuer: options.issuerUrl, audience: [...options.audiences], algorithms: [...options.signingAlgorithms],
      requiredClaims: ["exp"], clockTolerance: notBeforeLeewaySeconds, currentDate: new Date(now),
    });
    if (payload.exp! * 1000 <= now) throw unauthorized();
    return { value: options.userOf(payload), expires: payload.exp! * 1000 };
  }

  const remembered = rememberBriefly(verify, { now: options.now });
  return {
    async authenticateToken(token) {
      if (issuerOf(token) !== options.issuerUrl) return undefined;
      try {
        return { user: await remembered(token), audiences: [] };
      } catch {
        throw unauthorized();
      }
    },
  };
}

function issuerOf(token: string): string | undefined {
  try {
    return decodeJwt(token).iss;
  } catch (error) {
    if (error instanceof errors.JWTInvalid) return undefined;
    throw error;
  }
}
