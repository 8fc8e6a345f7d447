import { Encoder } from "cbor-x/index-no-eval";

/** Keys and texts are handed over as bytes, so maps must not become objects. */
const encoder = new Encoder({ mapsAsObjects: false, useRecords: false, variableMapSize: true, tagUint8Array: false });

/** Tag 55799, which says "this is CBOR"; all that Kubernetes writes begins with it. */
export const selfDescribed = Buffer.from([0xd9, 0xd9, 0xf7]);

/**
 * A JSON value as one CBOR item, without the tag. Texts are byte strings, as Kubernetes writes them: a reader that wants bytes takes them for base64.
 */
export const encodeCbor = (value: unknown): Buffer => Buffer.from(encoder.encode(wireOf(value)));

function wireOf(value: unknown): unknown {
  if (typeof value === "string") return Buffer.from(value);
  // The encoder writes larger integers as floats, which Go's integers don't take.
  if (typeof value === "number") return Number.isInteger(value) && Math.abs(value) > 0x7fff_ffff && Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof value !== "object" || value === null) return value ?? null;
  if (Array.isArray(value)) return value.map(wireOf);
  const map = new Map<Buffer, unknown>();
  for (const [key, inner] of Object.entries(value)) if (inner !== undefined) map.set(Buffer.from(key), wireOf(inner));
  return map;
}

/** The head of an array (major type 4) or map (5) whose items follow. */
export function containerHead(major: 4 | 5, count: number): Buffer {
  const base = major << 5;
  if (count < 24) return Buffer.from([base | count]);
  if (count < 1 << 16) return Buffer.from([base | 25, count >> 8, count & 255]);
  const head = Buffer.alloc(5, base | 26);
  head.writeUInt32BE(count, 1);
  return head;
}
