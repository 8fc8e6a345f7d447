import { createPublicKey, verify, type KeyObject } from "node:crypto";

/** As much of PKCS #10 as the API needs: whether a request is one, and signed by the key it is about. */

const pem = /-----BEGIN ([^-\n]+)-----\r?\n([A-Za-z0-9+/=\s]*?)-----END \1-----/;

/** Says what is wrong with a PEM certificate request; undefined when nothing is. */
export function certificateRequestProblem(text: string): string | undefined {
  const [, type, body = ""] = pem.exec(text) ?? [];
  if (type !== "CERTIFICATE REQUEST") return "PEM block type must be CERTIFICATE REQUEST";
  try {
    return signatureProblem(Buffer.from(body, "base64"));
  } catch {
    // Whatever bytes came: a reader of DER or of keys gave up on them.
    return "x509: malformed certificate request";
  }
}

/** Says what is wrong with the certificates of a status; undefined when there are none, or all is right. */
export function certificatesProblem(text: string): string | undefined {
  const blocks = [...text.matchAll(new RegExp(pem, "g"))];
  const other = blocks.find(([, type]) => type !== "CERTIFICATE");
  if (other) return `only CERTIFICATE PEM blocks are allowed, found ${JSON.stringify(other[1])}`;
  if (blocks.length === 0) return text === "" ? undefined : "must contain at least one CERTIFICATE PEM block";
  return blocks.every(([, , body = ""]) => isSequence(Buffer.from(body, "base64"))) ? undefined : "x509: malformed certificate";
}

class DerError extends Error {}

interface Element {
  tag: number;
  /** All of it, with its head. */
  whole: Buffer;
  content: Buffer;
}

/** The element at the start of `data`. */
function element(data: Buffer): Element {
  const tag = data[0], first = data[1];
  if (tag === undefined || first === undefined) throw new DerError("cut short");
  const long = first & 0x80 ? first & 0x7f : 0;
  if (long > 4) throw new DerError("too long");
  const start = 2 + long, length = long ? data.readUIntBE(2, long) : first;
  if (start + length > data.length) throw new DerError("cut short");
  return { tag, whole: data.subarray(0, start + length), content: data.subarray(start, start + length) };
}

function elements({ content }: Element): Element[] {
  const found: Element[] = [];
  for (let rest = content; rest.length > 0; ) {
    const next = element(rest);
    found.push(next);
    rest = rest.subarray(next.whole.length);
  }
  return found;
}

function isSequence(data: Buffer): boolean {
  try {
    const { tag, whole } = element(data);
    return tag === 0x30 && whole.length === data.length;
  } catch {
    return false;
  }
}

/** Signature algorithms by their object identifier, in hexadecimal. */
const hashes: Readonly<Record<string, string | null>> = {
  "2a864886f70d01010b": "sha256", "2a864886f70d01010c": "sha384", "2a864886f70d01010d": "sha512",
  "2a8648ce3d040302": "sha256", "2a8648ce3d040303": "sha384", "2a8648ce3d040304": "sha512",
  "2b6570": null,
};

function signatureProblem(data: Buffer): string | undefined {
  const [info, algorithm, signature] = elements(element(data));
  const key = info && elements(info)[2], identifier = algorithm && elements(algorithm)[0];
  if (!info || !key || !identifier || signature?.tag !== 0x03) throw new DerError("not a certificate request");
  const hash = hashes[identifier.content.toString("hex")];
  if (hash === undefined) return "x509: cannot verify signature: algorithm unimplemented";
  const publicKey: KeyObject = createPublicKey({ key: key.whole, format: "der", type: "spki" });
  // A bit string begins with the number of its unused bits.
  return verify(hash, info.whole, publicKey, signature.content.subarray(1)) ? undefined : "x509: certificate request signature verification failure";
}
