import "reflect-metadata";
import * as x509 from "@peculiar/x509";

/** What a PKCS#10 certificate request asks for. */
export interface CertificateRequest {
  commonName: string;
  organizations: readonly string[];
  dnsNames: readonly string[];
  ipAddresses: readonly string[];
  emailAddresses: readonly string[];
  uris: readonly string[];
  /** DER of the SubjectPublicKeyInfo, and of the whole subject. */
  publicKey: ArrayBuffer;
  subject: string;
  /** Whether the sender holds the key. */
  verify(): Promise<boolean>;
}

/** Reads a CertificateSigningRequest's `spec.request`: base64 of PEM. Undefined when it is none. */
export function parseCertificateRequest(request: string): CertificateRequest | undefined {
  const pem = Buffer.from(request, "base64").toString("latin1");
  const match = /-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----([A-Za-z0-9+/=\s]+)-----END (?:NEW )?CERTIFICATE REQUEST-----/.exec(pem);
  if (!match) return undefined;
  try {
    const parsed = new x509.Pkcs10CertificateRequest(Buffer.from(match[1]!, "base64"));
    const names = (parsed.extensions.find((extension) => extension instanceof x509.SubjectAlternativeNameExtension) as x509.SubjectAlternativeNameExtension | undefined)?.names.toJSON() ?? [];
    const of = (type: string): string[] => names.filter((name) => name.type === type).map(({ value }) => value);
    return {
      commonName: parsed.subjectName.getField("CN")[0] ?? "", organizations: parsed.subjectName.getField("O"),
      dnsNames: of("dns"), ipAddresses: of("ip"), emailAddresses: of("email"), uris: of("url"),
      publicKey: parsed.publicKey.rawData, subject: parsed.subject, verify: () => parsed.verify(),
    };
  } catch {
    return undefined;
  }
}
