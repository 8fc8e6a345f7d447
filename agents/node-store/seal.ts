import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";

/** Encrypts what must not be read from a disk that was taken out of the node, and notices what was changed on it. */
export interface Seal {
  /** `name` says what it is: it opens under the same name only. */
  close(name: string, text: string): Uint8Array;
  /** Throws when it was sealed with another key, under another name, or changed. */
  open(name: string, sealed: Uint8Array): string;
}

const nonceBytes = 12;
const tagBytes = 16;

/** AES-256-GCM, with a key derived from a secret that the node has anyway. */
export function createSeal(secret: string | Uint8Array): Seal {
  const key = Buffer.from(hkdfSync("sha256", secret, "", "skiff node store", 32));
  return {
    close(name, text) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(name));
      const body = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), body]);
    },
    open(name, sealed) {
      const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, nonceBytes)).setAAD(Buffer.from(name));
      decipher.setAuthTag(sealed.subarray(nonceBytes, nonceBytes + tagBytes));
      return decipher.update(sealed.subarray(nonceBytes + tagBytes), undefined, "utf8") + decipher.final("utf8");
    },
  };
}
