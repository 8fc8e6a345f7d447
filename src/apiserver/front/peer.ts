import type { PeerCertificate } from "../../base/http.ts";

/** What a TLS library tells about the client's certificate, in the shape Node gave it. */
export interface TlsPeer {
  /** True only when a chain to the client CA verified, for client authentication, now. */
  readonly authorized: boolean;
  readonly certificate: { subject?: { CN?: string | string[]; O?: string | string[] }; fingerprint256?: string } | undefined | null;
  readonly error: string | undefined;
}

/**
 * The identity that a connection's certificate proves. The subject of one that did not verify is never looked at: anybody can write
 * `system:masters` into a certificate of their own.
 */
export function identify(peer: TlsPeer): { peer?: PeerCertificate; peerError?: string } {
  const certificate = peer.certificate;
  if (!certificate?.fingerprint256) return {};
  if (!peer.authorized) return { peerError: peer.error ?? "UNVERIFIED" };
  const commonName = certificate.subject?.CN;
  if (typeof commonName !== "string" || commonName === "") return { peerError: "NO_SINGLE_COMMON_NAME" };
  const organizations = certificate.subject?.O ?? [];
  return {
    peer: { commonName, organizations: typeof organizations === "string" ? [organizations] : [...organizations], fingerprint: certificate.fingerprint256 },
  };
}
