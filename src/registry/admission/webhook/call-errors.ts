/** Why a call failed, in the words that Go's net/http and crypto/tls have for it: users search for these, and clients look for them. */
export function reasonOf(error: unknown, { hostname, dialed }: Target): string {
  const { code, message, name } = error as NodeJS.ErrnoException;
  if (name === "AbortError" || name === "TimeoutError") return "context canceled";
  const known = code === undefined ? undefined : reasons[code];
  return known ? known({ hostname, dialed }) : message.replace(/[.:] .*$/s, "");
}

const untrusted = (): string => "tls: failed to verify certificate: x509: certificate signed by unknown authority";

interface Target {
  /** Whom the certificate has to be for. */
  hostname: string;
  /** Host and port of the connection. */
  dialed: string;
}

const refused = ({ dialed }: Target): string => `dial tcp ${dialed}: connect: connection refused`;

const reasons: Readonly<Record<string, (target: Target) => string>> = {
  ECONNREFUSED: refused,
  ConnectionRefused: refused,
  ECONNRESET: () => "EOF",
  ConnectionClosed: () => "EOF",
  ENOTFOUND: ({ hostname }) => `dial tcp: lookup ${hostname}: no such host`,
  ERR_TLS_CERT_ALTNAME_INVALID: ({ hostname }) => `tls: failed to verify certificate: x509: certificate is not valid for any names, but wanted to match ${hostname}`,
  CERT_HAS_EXPIRED: () => "tls: failed to verify certificate: x509: certificate has expired or is not yet valid",
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  UNABLE_TO_GET_ISSUER_CERT: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  /** What the TLS library makes of a CA bundle that holds no certificate. */
  FailedToOpenSocket: untrusted,
};
