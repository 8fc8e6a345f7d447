import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { StorageError } from "../storage.ts";

/** A key for AES-256-GCM. Names appear in what is sealed, so they stay what they are. */
export interface SealingKey {
  /** Without a colon. */
  name: string;
  /** 32 bytes. */
  secret: Uint8Array;
}

/** As kube-apiserver marks what its provider `aesgcm` has sealed: the key's name and a colon follow. No JSON begins like this. */
const marker = Buffer.from("k8s:enc:aesgcm:v1:");
const nonceLength = 12, tagLength = 16, longestName = 128;

/** `key` is where the value lies: bound to it, so that nobody who can write to the disk can put one Secret in the place of another. */
export function seal(value: Uint8Array, { name, secret }: SealingKey, key: string): Uint8Array {
  const nonce = randomBytes(nonceLength);
  const cipher = createCipheriv("aes-256-gcm", secret, nonce).setAAD(Buffer.from(key));
  return new Uint8Array(Buffer.concat([marker, Buffer.from(`${name}:`), nonce, cipher.update(value), cipher.final(), cipher.getAuthTag()]));
}

/** The name of the key that sealed the value; undefined when it lies in plain. */
export function sealedBy(value: Uint8Array): string | undefined {
  if (value[0] !== marker[0] || value.length < marker.length || marker.compare(value, 0, marker.length) !== 0) return undefined;
  const end = value.indexOf(colon, marker.length);
  return end < 0 || end - marker.length > longestName ? undefined : Buffer.from(value.subarray(marker.length, end)).toString();
}

const colon = ":".charCodeAt(0);

/** What `seal` was given. Throws "corrupt" when the key is another, the value lay elsewhere, or a byte has changed. */
export function unseal(value: Uint8Array, { name, secret }: SealingKey, key: string): Uint8Array {
  const at = marker.length + Buffer.byteLength(name) + 1, end = value.length - tagLength;
  try {
    const decipher = createDecipheriv("aes-256-gcm", secret, value.subarray(at, at + nonceLength)).setAAD(Buffer.from(key)).setAuthTag(value.subarray(end));
    return new Uint8Array(Buffer.concat([decipher.update(value.subarray(at + nonceLength, end)), decipher.final()]));
  } catch (error) {
    throw new StorageError("corrupt", `${key} can't be decrypted with the key ${name}: it has been changed on disk, or the key is another of that name`, { cause: error });
  }
}
