import { createPrivateKey, X509Certificate } from "node:crypto";
import type { Frozen } from "../../src/apimachinery/meta.ts";
import type { Secret } from "../../src/apis/generated/core/v1.ts";

/** PEM texts: a certificate with the chain that follows it, and its key. */
export interface KeyPair {
  certificate: string;
  key: string;
}

/** The pair in a Secret of the type kubernetes.io/tls, or a sentence that says why it is of no use. `key` is `namespace/name`. */
export function keyPairOf(secret: Frozen<Secret> | undefined, key: string): KeyPair | string {
  if (!secret) return `there is no secret ${key}: a certificate of our own is shown instead`;
  const text = (name: string): string => Buffer.from(secret.data?.[name] ?? "", "base64").toString();
  const certificate = text("tls.crt"), privateKey = text("tls.key");
  try {
    if (!new X509Certificate(certificate).checkPrivateKey(createPrivateKey(privateKey))) return `the key in the secret ${key} is not that of its certificate: a certificate of our own is shown instead`;
    return { certificate: pemOf(certificate), key: pemOf(privateKey) };
  } catch {
    return `the secret ${key} holds no certificate and key in PEM (tls.crt, tls.key): a certificate of our own is shown instead`;
  }
}

/** The PEM blocks alone: what stands around them may be anything. */
const pemOf = (text: string): string => `${text.match(/-----BEGIN [A-Z0-9 ]+-----[^-]+-----END [A-Z0-9 ]+-----/g)!.join("\n")}\n`;
