/** A join token, taken apart. */
export interface JoinToken {
  /** SHA-256 of the DER form of the server's CA, in lower-case hex; absent from the short forms, which trust the first CA they see. */
  caHash?: string;
  /** The cluster's secret, or a bootstrap token `<id>.<secret>`. */
  secret: string;
}

/**
 * Reads `K10<sha256>::<user>:<secret>`, `K10<sha256>::<id>.<secret>`, `<id>.<secret>` or a bare secret.
 * Undefined for what begins like the long form and is cut off or misspelt.
 */
export function parseJoinToken(text: string): JoinToken | undefined {
  const token = text.trim();
  if (!token.startsWith("K10")) return token ? { secret: token } : undefined;
  const match = /^K10([0-9a-f]{64})::(?:[^:]*:)?([^:]+)$/.exec(token);
  return match ? { caHash: match[1]!, secret: match[2]! } : undefined;
}

/** The parts of a bootstrap token, `<id>.<secret>`. https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/ */
export function bootstrapTokenParts(secret: string): { id: string; secret: string } | undefined {
  const match = /^([a-z0-9]{6})\.([a-z0-9]{16})$/.exec(secret);
  return match ? { id: match[1]!, secret: match[2]! } : undefined;
}
