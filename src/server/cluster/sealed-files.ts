import { createCipheriv, createDecipheriv, hkdfSync, randomBytes, scrypt } from "node:crypto";
import { promisify } from "node:util";

/** File names below the server's directory, and what is in them. */
export type Files = Readonly<Record<string, string>>;

/** Either opens what is sealed. */
export interface Keyholder {
  /** The cluster's join secret. */
  secret?: string | undefined;
  /** PEM of the server CA's key, which every server of the cluster has: it opens what was sealed with a token that has been changed since. */
  caKey?: string | undefined;
}

interface Box { iv: string; data: string }
interface Sealed { version: 1; salt: string; byToken: Box; byServers: Box; files: Box }

const derive = promisify(scrypt) as (password: string, salt: Uint8Array, length: number, options: { N: number; r: number; p: number; maxmem: number }) => Promise<Buffer>;
/** 32 MiB for a moment: a guess of the token costs that too. */
const workFactor = 2 ** 15;

/** Encrypts files for who knows the token, and for the cluster's servers. AES-256-GCM; keys by scrypt and HKDF. */
export async function sealFiles(files: Files, { secret, caKey }: Required<Keyholder>): Promise<Uint8Array> {
  const salt = randomBytes(16), key = randomBytes(32);
  const sealed: Sealed = { version: 1, salt: salt.toString("base64"), byToken: close(await ofToken(secret!, salt), key), byServers: close(ofServers(caKey!, salt), key), files: close(key, Buffer.from(JSON.stringify(files))) };
  return Buffer.from(JSON.stringify(sealed));
}

/** The files, and by which of the two they were opened; undefined when by neither. Throws for what isn't understood. */
export async function openFiles(bytes: Uint8Array, { secret, caKey }: Keyholder): Promise<{ files: Files; by: keyof Keyholder } | undefined> {
  const sealed = JSON.parse(Buffer.from(bytes).toString()) as Sealed;
  if (sealed.version !== 1) throw new Error("what the servers share was written by a newer Skiff: update this one");
  const salt = Buffer.from(sealed.salt, "base64");
  const key = (caKey && open(ofServers(caKey, salt), sealed.byServers)) || (secret && open(await ofToken(secret, salt), sealed.byToken)) || undefined;
  if (!key) return undefined;
  const content = open(key, sealed.files);
  if (!content) throw new Error("what the servers share is damaged");
  return { files: JSON.parse(content.toString()) as Files, by: caKey && open(ofServers(caKey, salt), sealed.byServers) ? "caKey" : "secret" };
}

/** For the cluster's servers alone. */
export function sealForServers(content: Uint8Array, caKey: string): Uint8Array {
  const salt = randomBytes(16);
  return Buffer.from(JSON.stringify({ version: 1, salt: salt.toString("base64"), content: close(ofServers(caKey, salt), content) }));
}

/** Undefined when it is another cluster's, or was written by a newer Skiff. */
export function openForServers(bytes: Uint8Array, caKey: string): Uint8Array | undefined {
  const { version, salt, content } = JSON.parse(Buffer.from(bytes).toString()) as { version: number; salt: string; content: Box };
  return version === 1 ? open(ofServers(caKey, Buffer.from(salt, "base64")), content) : undefined;
}

const ofToken = (secret: string, salt: Uint8Array): Promise<Buffer> => derive(secret, salt, 32, { N: workFactor, r: 8, p: 1, maxmem: 256 * workFactor * 8 });
const ofServers = (caKey: string, salt: Uint8Array): Buffer => Buffer.from(hkdfSync("sha256", caKey.trim(), salt, "skiff servers", 32));

function close(key: Uint8Array, plain: Uint8Array): Box {
  const iv = randomBytes(12), cipher = createCipheriv("aes-256-gcm", key, iv);
  return { iv: iv.toString("base64"), data: Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]).toString("base64") };
}

/** Undefined when it is another key's. */
function open(key: Uint8Array, { iv, data }: Box): Buffer | undefined {
  const bytes = Buffer.from(data, "base64"), decipher = createDecipheriv("aes-256-gcm", key, Buffer.from(iv, "base64"));
  decipher.setAuthTag(bytes.subarray(-16));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(0, -16)), decipher.final()]);
  } catch {
    return undefined;
  }
}
