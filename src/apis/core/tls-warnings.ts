import { createPrivateKey, createPublicKey, X509Certificate, type KeyObject } from "node:crypto";

/**
 * Why a certificate and a key, both base64 of PEM text, are no pair that a TLS server could use; undefined when they are one.
 * Wording: Go's crypto/tls X509KeyPair, whose many messages on damaged DER are one here.
 */
export function keyPairProblem(certificate: string, key: string): string | undefined {
  const [certificates, others] = blocksOf(certificate, (type) => type === "CERTIFICATE");
  if (certificates.length === 0) {
    if (others.length === 0) return "tls: failed to find any PEM data in certificate input";
    if (others.length === 1 && others[0]!.endsWith("PRIVATE KEY")) return "tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched";
    return `tls: failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM blocks of the following types: [${others.join(" ")}]`;
  }
  const [keys, skipped] = blocksOf(key, (type) => type === "PRIVATE KEY" || type.endsWith(" PRIVATE KEY"));
  if (keys.length === 0) {
    if (skipped.length === 0) return "tls: failed to find any PEM data in key input";
    if (skipped.length === 1 && skipped[0] === "CERTIFICATE") return "tls: found a certificate rather than a key in the PEM for the private key";
    return `tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input after skipping PEM blocks of the following types: [${skipped.join(" ")}]`;
  }
  const publicKey = parsed(() => new X509Certificate(certificates[0]!).publicKey);
  if (!publicKey) return "x509: malformed certificate";
  const privateKey = privateKeyOf(keys[0]!);
  if (!privateKey) return "tls: failed to parse private key";
  if (!["rsa", "ec", "ed25519"].includes(publicKey.asymmetricKeyType!)) return "tls: unknown public key algorithm";
  if (privateKey.asymmetricKeyType !== publicKey.asymmetricKeyType) return "tls: private key type does not match public key type";
  return createPublicKey(privateKey).equals(publicKey) ? undefined : "tls: private key does not match public key";
}

const block = /-----BEGIN ([^-\n]+)-----\r?\n([A-Za-z0-9+/=\s]*?)-----END \1-----/g;

/** The DER of the blocks that are wanted, and the types of the others before the first of them. */
function blocksOf(base64: string, wanted: (type: string) => boolean): [wanted: Buffer[], skipped: string[]] {
  const found: Buffer[] = [], skipped: string[] = [];
  for (const [, type = "", body = ""] of Buffer.from(base64, "base64").toString("latin1").matchAll(block)) {
    if (wanted(type)) found.push(Buffer.from(body, "base64"));
    else skipped.push(type);
  }
  return [found, skipped];
}

/** Whatever the block was called: all forms are tried, as Go does. */
const privateKeyOf = (key: Buffer): KeyObject | undefined =>
  (["pkcs1", "pkcs8", "sec1"] as const).map((type) => parsed(() => createPrivateKey({ key, format: "der", type }))).find((each) => each !== undefined);

function parsed<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    return undefined;
  }
}
