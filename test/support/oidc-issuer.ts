import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from "jose";
import { createCa, createLeaf } from "../../src/server/pki/certificate.ts";

/** A small real OpenID Connect issuer over HTTPS on a port of its own. */
export interface OidcIssuer {
  readonly url: string;
  /** PEM of the CA of its certificate. */
  readonly ca: string;
  /** Paths that were asked for, in order. */
  readonly asked: string[];
  /** While true, it answers 503. */
  broken: boolean;
  /** From now on also signs with this key; `keys` are what it publishes. */
  addKey(kid: string, alg?: "RS256" | "ES256"): Promise<void>;
  sign(claims: Record<string, unknown>, kid?: string): Promise<string>;
  stop(): Promise<void>;
}

export async function startIssuer(): Promise<OidcIssuer> {
  const notAfter = new Date(Date.now() + 86_400_000);
  const ca = await createCa("issuer-ca", notAfter);
  const leaf = await createLeaf({ subject: { commonName: "issuer" }, issuer: ca, usage: "server", names: ["127.0.0.1"], notAfter });
  const keys = new Map<string, { privateKey: CryptoKey; jwk: JWK }>();
  const server = Bun.serve({
    port: 0, hostname: "127.0.0.1", tls: { cert: leaf.certificate, key: leaf.key },
    fetch(request) {
      const { pathname } = new URL(request.url);
      issuer.asked.push(pathname);
      if (issuer.broken) return new Response("broken", { status: 503 });
      if (pathname === "/tenant/.well-known/openid-configuration") return Response.json({ issuer: issuer.url, jwks_uri: `${issuer.url}/keys` });
      return pathname === "/tenant/keys" ? Response.json({ keys: [...keys.values()].map(({ jwk }) => jwk) }) : new Response("", { status: 404 });
    },
  });
  const issuer: OidcIssuer = {
    url: `https://127.0.0.1:${server.port}/tenant`, ca: ca.certificate, asked: [], broken: false,
    async addKey(kid, alg = "RS256") {
      const { publicKey, privateKey } = await generateKeyPair(alg);
      keys.set(kid, { privateKey, jwk: { ...await exportJWK(publicKey), kid, alg, use: "sig" } });
    },
    sign(claims, kid = "one") {
      const { privateKey, jwk } = keys.get(kid)!;
      return new SignJWT({ iss: issuer.url, aud: "skiff", sub: "jane", exp: Math.floor(Date.now() / 1000) + 3600, ...claims }).setProtectedHeader({ alg: jwk.alg!, kid }).sign(privateKey);
    },
    stop: () => server.stop(true),
  };
  await issuer.addKey("one");
  return issuer;
}
