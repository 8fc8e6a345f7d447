/** How a value lies in the file. */
export const packings = { plain: 0, zstd: 1 } as const;

/** Less isn't worth the time. */
const worthBytes = 512;

/** JSON shrinks to about half: so many bytes that don't wear the card. What is encrypted doesn't shrink, and lies as it is. */
export function pack(value: Uint8Array): { packing: number; value: Uint8Array } {
  if (value.byteLength >= worthBytes) {
    const packed = Bun.zstdCompressSync(value as Uint8Array<ArrayBuffer>, { level: 1 });
    if (packed.byteLength < value.byteLength * 0.85) return { packing: packings.zstd, value: packed };
  }
  return { packing: packings.plain, value };
}

export const unpack = (packing: number, value: Uint8Array): Uint8Array => (packing === packings.zstd ? Bun.zstdDecompressSync(value as Uint8Array<ArrayBuffer>) : value);
