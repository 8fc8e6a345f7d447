import { randomBytes, scrypt } from "node:crypto";
import { promisify } from "node:util";
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { Decrypter, Encrypter, type Recipient, Stanza } from "age-encryption";
import { UsageError } from "../settings.ts";

const derive = promisify(scrypt) as (password: string, salt: Uint8Array, length: number, options: { N: number; r: number; p: number; maxmem: number }) => Promise<Buffer>;

/** What a guess of the passphrase costs: 64 MiB for a moment, here too, which a small board has to spare. */
const workFactor = 16;

/**
 * Encrypts in the format of age (https://age-encryption.org/v1): `age --decrypt` opens it without Skiff. Made while it is read. Unlike the library's
 * own way the key is derived on another thread, since a server goes on serving meanwhile.
 */
export function encrypted(plain: ReadableStream<Uint8Array>, passphrase: string): Promise<ReadableStream<Uint8Array>> {
  const encrypter = new Encrypter();
  encrypter.addRecipient(passphraseRecipient(passphrase));
  return encrypter.encrypt(plain);
}

const passphraseRecipient = (passphrase: string): Recipient => ({
  async wrapFileKey(fileKey) {
    const salt = randomBytes(16), N = 2 ** workFactor;
    const key = await derive(passphrase, Buffer.concat([Buffer.from("age-encryption.org/v1/scrypt"), salt]), 32, { N, r: 8, p: 1, maxmem: 256 * N * 8 });
    const wrapped = chacha20poly1305(key, new Uint8Array(12)).encrypt(fileKey);
    return [new Stanza(["scrypt", salt.toString("base64").replace(/=+$/, ""), String(workFactor)], wrapped)];
  },
});

const ageHeader = "age-encryption.org/v1\n";

/** What `source` holds, decrypted if need be. `passphrase` is asked for only then. Throws a `UsageError`; `name` is the source's in it. */
export async function decrypted(source: ReadableStream<Uint8Array>, name: string, passphrase: () => Promise<string | undefined>): Promise<ReadableStream<Uint8Array>> {
  const { beginning, whole } = await peek(source, ageHeader.length);
  if (beginning !== ageHeader) return whole;
  const given = await passphrase();
  if (given === undefined) throw new UsageError(`${name} is encrypted: give its passphrase with --passphrase-file or SKIFF_BACKUP_PASSPHRASE`);
  const decrypter = new Decrypter();
  decrypter.addPassphrase(given);
  try {
    return await decrypter.decrypt(whole);
  } catch (error) {
    throw new UsageError(/no identity matched/.test((error as Error).message) ? `the passphrase is not that of ${name}` : `${name} is encrypted in a way that is not known, or damaged (${(error as Error).message})`, { cause: error });
  }
}

/** The first bytes of a stream, as text, and a stream of all of it. */
async function peek(source: ReadableStream<Uint8Array>, length: number): Promise<{ beginning: string; whole: ReadableStream<Uint8Array> }> {
  const reader = source.getReader();
  const chunks: Uint8Array[] = [];
  for (let size = 0; size < length;) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value);
    size += value.length;
  }
  const start = Buffer.concat(chunks);
  const whole = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(start),
    async pull(controller) {
      const { done, value } = await reader.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  });
  return { beginning: start.toString("latin1", 0, length), whole };
}
