import { X509Certificate } from "node:crypto";
import type { PeerCertificate } from "../../base/http.ts";

/** What a TLS library tells about the client's certificate, in the shape Node gave it. */
export interface TlsPeer {
  /** True only when a chain to the client CA verified, for client authentication, now. */
  readonly authorized: boolean;
  readonly certificate: { subject?: { CN?: string | string[]; O?: string | string[] }; fingerprint256?: string; valid_to?: string; raw?: Uint8Array } | undefined | null;
  readonly error: string | undefined;
}

/** What a connection's certificate proves, or why it proves nothing. Both are absent without a certificate. */
export interface Identity {
  peer?: PeerCertificate;
  peerError?: string;
  /** When `peer` stops being true; milliseconds since the epoch. */
  expiresAt: number;
}

export const anonymous: Identity = { expiresAt: Infinity };

/**
 * The identity that a connection's certificate proves. The subject of one that did not verify is never looked at: anybody can write
 * `system:masters` into a certificate of their own.
 */
export function identify(peer: TlsPeer, isFrontProxy: (raw: Uint8Array) => boolean = () => false): Identity {
  const certificate = peer.certificate;
  if (!certificate?.fingerprint256) return anonymous;
  if (!peer.authorized) return { peerError: peer.error ?? "UNVERIFIED", expiresAt: Infinity };
  const commonName = certificate.subject?.CN;
  if (typeof commonName !== "string" || commonName === "") return { peerError: "NO_SINGLE_COMMON_NAME", expiresAt: Infinity };
  const organizations = certificate.subject?.O ?? [];
  return {
    peer: { commonName, organizations: typeof organizations === "string" ? [organizations] : [...organizations], fingerprint: certificate.fingerprint256, ...(certificate.raw && isFrontProxy(certificate.raw) ? { frontProxy: true as const } : {}) },
    expiresAt: Date.parse(certificate.valid_to ?? ""),
  };
}

/** Tells by its DER form whether a verified certificate was issued by the CA of front proxies. */
export function frontProxyTest(requestHeaderCa: string | undefined): (raw: Uint8Array) => boolean {
  if (!requestHeaderCa) return () => false;
  const ca = new X509Certificate(requestHeaderCa);
  return (raw) => {
    const certificate = new X509Certificate(raw);
    return certificate.checkIssued(ca) && certificate.verify(ca.publicKey);
  };
}

/** What is left of `identity` at `now`: connections outlive certificates, so each request asks again. An unreadable date has passed. */
export const identityAt = (identity: Identity, now: number): Identity => now < identity.expiresAt ? identity : { peerError: "CERT_HAS_EXPIRED", expiresAt: Infinity };
