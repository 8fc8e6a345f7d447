import { crc32 } from "node:zlib";
import { StorageError } from "../storage.ts";

/** How a value lies in the file. */
const packings = { plain: 0, zstd: 1 } as const;

/** Less isn't worth the time. */
const worthBytes = 512;
const checksumBytes = 4;

/**
 * JSON shrinks to about half: so many bytes that don't wear the card. What is encrypted doesn't shrink, and lies as it is. A checksum of the
 * value and its key goes before it, since SQLite notices damage to its own structures alone.
 */
export function pack(key: string, value: Uint8Array): { packing: number; value: Uint8Array } {
  if (value.byteLength >= worthBytes) {
    const packed = Bun.zstdCompressSync(value as Uint8Array<ArrayBuffer>, { level: 1 });
    if (packed.byteLength < value.byteLength * 0.85) return { packing: packings.zstd, value: withChecksum(key, packed) };
  }
  return { packing: packings.plain, value: withChecksum(key, value) };
}

/** Throws "corrupt" when it isn't what `pack` made for this key. */
export function unpack(key: string, packing: number, packed: Uint8Array | null): Uint8Array {
  if (!isWhole(key, packed)) throw new StorageError("corrupt", `the database is damaged: what it has of ${key} is another than was written`);
  const content = packed.subarray(checksumBytes);
  return packing === packings.zstd ? Bun.zstdDecompressSync(content as Uint8Array<ArrayBuffer>) : content;
}

/** Whether it is what `pack` made for this key. */
export const isWhole = (key: string, packed: Uint8Array | null): packed is Uint8Array =>
  packed !== null && packed.byteLength >= checksumBytes && new DataView(packed.buffer, packed.byteOffset).getUint32(0) === crc32(packed.subarray(checksumBytes), crc32(key));

function withChecksum(key: string, content: Uint8Array): Uint8Array {
  const packed = new Uint8Array(checksumBytes + content.byteLength);
  new DataView(packed.buffer).setUint32(0, crc32(content, crc32(key)));
  packed.set(content, checksumBytes);
  return packed;
}
