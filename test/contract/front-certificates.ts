import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import type { FrontTls } from "../../src/apiserver/front/front.ts";

x509.cryptoProvider.set(crypto);
const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const day = 86_400_000;
const clientAuth = "1.3.6.1.5.5.7.3.2";
const serverAuth = "1.3.6.1.5.5.7.3.1";

export interface KeyPair {
  cert: string;
  key: string;
}

export interface Authority {
  cert: string;
  issue(subject: string, options?: { server?: boolean; /** How long it is valid from now on; may be negative. */ validMs?: number }): Promise<KeyPair>;
}

let serial = 1;

/** A certificate authority that lives as long as a test. */
export async function makeAuthority(name: string): Promise<Authority> {
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`, keys, signingAlgorithm: algorithm, serialNumber: hex(serial++),
    notBefore: new Date(Date.now() - day), notAfter: new Date(Date.now() + day),
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true), new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true)],
  });
  return {
    cert: root.toString("pem"),
    async issue(subject, { server = false, validMs = day } = {}) {
      const pair = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
      const certificate = await x509.X509CertificateGenerator.create({
        subject, issuer: root.subject, publicKey: pair.publicKey, signingKey: keys.privateKey, signingAlgorithm: algorithm, serialNumber: hex(serial++),
        notBefore: new Date(Date.now() - 2 * day), notAfter: new Date(Date.now() + validMs),
        extensions: [
          new x509.ExtendedKeyUsageExtension([server ? serverAuth : clientAuth]),
          ...(server ? [new x509.SubjectAlternativeNameExtension([{ type: "dns", value: "localhost" }, { type: "ip", value: "127.0.0.1" }])] : []),
        ],
      });
      return { cert: certificate.toString("pem"), key: await pem(pair.privateKey) };
    },
  };
}

export async function serverTls(authority: Authority): Promise<FrontTls> {
  const { cert, key } = await authority.issue("CN=skiff", { server: true });
  return { cert, key, clientCa: authority.cert };
}

const hex = (number: number): string => number.toString(16).padStart(4, "0");

async function pem(key: CryptoKey): Promise<string> {
  const der = Buffer.from(await crypto.subtle.exportKey("pkcs8", key)).toString("base64");
  return `-----BEGIN PRIVATE KEY-----\n${der.match(/.{1,64}/g)!.join("\n")}\n-----END PRIVATE KEY-----\n`;
}
