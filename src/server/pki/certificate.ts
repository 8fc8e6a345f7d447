import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { X509Certificate } from "node:crypto";
import type { CertificateRequest } from "../../apis/certificates/pkcs10.ts";

/** PEM texts of a certificate and its key. */
export interface KeyPair {
  certificate: string;
  key: string;
}

export interface Subject {
  commonName: string;
  /** Kubernetes reads a client's groups from these. */
  organizations?: readonly string[];
}

export interface LeafOptions {
  subject: Subject;
  issuer: KeyPair;
  /** `peer` is both. */
  usage: "server" | "client" | "peer";
  /** DNS names and IP addresses of a server. */
  names?: readonly string[];
  notAfter: Date;
}

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** How long a certificate lasts that is no CA's. */
export const leafDays = 365;

/**
 * Valid from the epoch: a board without a battery-backed clock wakes up in 1970, and its own certificates must not be
 * "not yet valid" until it has found the time. What limits a certificate is its end.
 */
const notBefore = new Date(0);

/** A self-signed CA with an ECDSA P-256 key. */
export async function createCa(commonName: string, notAfter: Date): Promise<KeyPair> {
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: nameOf({ commonName }), keys, notBefore, notAfter, serialNumber: serialNumber(), signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign | x509.KeyUsageFlags.digitalSignature, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: pem(certificate), key: await exportKey(keys.privateKey) };
}

/** A leaf certificate signed by `issuer`, with a key of its own. */
export async function createLeaf({ subject, issuer, usage, names = [], notAfter }: LeafOptions): Promise<KeyPair> {
  const keys = await generateKeys();
  const ca = new x509.X509Certificate(issuer.certificate);
  const certificate = await x509.X509CertificateGenerator.create({
    subject: nameOf(subject), issuer: ca.subject, publicKey: keys.publicKey, signingKey: await importKey(issuer.key),
    notBefore, notAfter, serialNumber: serialNumber(), signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment, true),
      new x509.ExtendedKeyUsageExtension([...(usage === "client" ? [] : [x509.ExtendedKeyUsage.serverAuth]), ...(usage === "server" ? [] : [x509.ExtendedKeyUsage.clientAuth])]),
      await x509.AuthorityKeyIdentifierExtension.create(ca),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ...(names.length ? [new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: isIp(value) ? "ip" : "dns", value })))] : []),
    ],
  });
  return { certificate: pem(certificate), key: await exportKey(keys.privateKey) };
}

/** Signs what a certificate request asks for: its subject, names and key, with these usages (certificates.k8s.io/v1 KeyUsage). */
export async function signRequest(issuer: KeyPair, { request, usages, notBefore, notAfter }: { request: CertificateRequest; usages: readonly string[]; notBefore: Date; notAfter: Date }): Promise<string> {
  const ca = new x509.X509Certificate(issuer.certificate);
  const flags = usages.reduce((sum, usage) => sum | (keyUsages[usage] ?? 0), 0);
  const purposes = usages.flatMap((usage) => extendedKeyUsages[usage] ?? []);
  const names = [
    ...request.dnsNames.map((value) => ({ type: "dns" as const, value })), ...request.ipAddresses.map((value) => ({ type: "ip" as const, value })),
    ...request.emailAddresses.map((value) => ({ type: "email" as const, value })), ...request.uris.map((value) => ({ type: "url" as const, value })),
  ];
  const publicKey = new x509.PublicKey(request.publicKey);
  const certificate = await x509.X509CertificateGenerator.create({
    subject: request.subject, issuer: ca.subject, publicKey, signingKey: await importKey(issuer.key),
    notBefore, notAfter: notAfter < ca.notAfter ? notAfter : ca.notAfter, serialNumber: serialNumber(), signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      ...(flags ? [new x509.KeyUsagesExtension(flags, true)] : []),
      ...(purposes.length ? [new x509.ExtendedKeyUsageExtension(purposes)] : []),
      await x509.AuthorityKeyIdentifierExtension.create(ca),
      ...(names.length ? [new x509.SubjectAlternativeNameExtension(names)] : []),
    ],
  });
  return pem(certificate);
}

const keyUsages: Readonly<Record<string, number>> = {
  "signing": x509.KeyUsageFlags.digitalSignature, "digital signature": x509.KeyUsageFlags.digitalSignature, "content commitment": x509.KeyUsageFlags.nonRepudiation,
  "key encipherment": x509.KeyUsageFlags.keyEncipherment, "key agreement": x509.KeyUsageFlags.keyAgreement, "data encipherment": x509.KeyUsageFlags.dataEncipherment,
  "cert sign": x509.KeyUsageFlags.keyCertSign, "crl sign": x509.KeyUsageFlags.cRLSign, "encipher only": x509.KeyUsageFlags.encipherOnly, "decipher only": x509.KeyUsageFlags.decipherOnly,
};
const extendedKeyUsages: Readonly<Record<string, string>> = {
  "any": "2.5.29.37.0", "server auth": "1.3.6.1.5.5.7.3.1", "client auth": "1.3.6.1.5.5.7.3.2", "code signing": "1.3.6.1.5.5.7.3.3", "email protection": "1.3.6.1.5.5.7.3.4",
  "s/mime": "1.3.6.1.5.5.7.3.4", "ipsec end system": "1.3.6.1.5.5.7.3.5", "ipsec tunnel": "1.3.6.1.5.5.7.3.6", "ipsec user": "1.3.6.1.5.5.7.3.7", "timestamping": "1.3.6.1.5.5.7.3.8",
  "ocsp signing": "1.3.6.1.5.5.7.3.9", "microsoft sgc": "1.3.6.1.4.1.311.10.3.3", "netscape sgc": "2.16.840.1.113730.4.1",
};

/** Whether `pair` is signed by `ca`, lasts beyond `until`, and covers `names`. */
export function isCurrent(pair: KeyPair, ca: KeyPair, { until, names = [] }: { until: Date; names?: readonly string[] }): boolean {
  try {
    const certificate = new X509Certificate(pair.certificate);
    const issuer = new X509Certificate(ca.certificate);
    return certificate.verify(issuer.publicKey) && new Date(certificate.validTo) > until && names.every((name) => (isIp(name) ? certificate.checkIP(name) : certificate.checkHost(name)) !== undefined);
  } catch {
    return false;
  }
}

/** A P-256 private key in PKCS#8 PEM, for signing service-account tokens. */
export async function createSigningKey(): Promise<string> {
  return exportKey((await generateKeys()).privateKey);
}

export const isIp = (name: string): boolean => /^[0-9.]+$/.test(name) || name.includes(":");

const generateKeys = (): Promise<CryptoKeyPair> => crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]) as Promise<CryptoKeyPair>;

async function exportKey(key: CryptoKey): Promise<string> {
  return toPem("PRIVATE KEY", new Uint8Array(await crypto.subtle.exportKey("pkcs8", key)));
}

function importKey(key: string): Promise<CryptoKey> {
  const der = Buffer.from(key.replace(/-----[^-]+-----|\s/g, ""), "base64");
  return crypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"]);
}

const pem = (certificate: x509.X509Certificate): string => toPem("CERTIFICATE", new Uint8Array(certificate.rawData));

function toPem(label: string, der: Uint8Array): string {
  const lines = Buffer.from(der).toString("base64").match(/.{1,64}/g)!;
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

function nameOf({ commonName, organizations = [] }: Subject): x509.Name {
  return new x509.Name([...organizations.map((organization) => ({ O: [organization] })), { CN: [commonName] }]);
}

/** 16 random bytes, positive as RFC 5280 asks. */
function serialNumber(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return Buffer.from(bytes).toString("hex");
}
