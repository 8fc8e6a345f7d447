/** Netlink messages of netfilter: https://docs.kernel.org/userspace-api/netlink/intro.html and linux/netfilter/nfnetlink.h. */

const headerBytes = 16, familyHeaderBytes = 4, attributeHeaderBytes = 4;
const aligned = (length: number): number => (length + 3) & ~3;
/** Of an attribute's type: whether it holds others, and whether it is big-endian. */
const typeMask = 0x3fff, nested = 0x8000;

export const flags = { request: 1, ack: 4, dump: 0x300 } as const;
/** Types below 16 are netlink's own. */
export const control = { error: 2, done: 3 } as const;

export interface NetlinkMessage {
  /** Subsystem in the high byte. */
  type: number;
  /** AF_INET, AF_INET6 or NFPROTO_INET. */
  family: number;
  /** The attributes, unparsed; of a control message all of its contents. */
  body: DataView;
}

/** A buffer of attributes by type; each is a view into `body`. */
export function attributesOf(body: DataView): Map<number, DataView> {
  const found = new Map<number, DataView>();
  for (let at = 0; at + attributeHeaderBytes <= body.byteLength;) {
    const length = body.getUint16(at, true);
    if (length < attributeHeaderBytes || at + length > body.byteLength) break;
    found.set(body.getUint16(at + 2, true) & typeMask, new DataView(body.buffer, body.byteOffset + at + attributeHeaderBytes, length - attributeHeaderBytes));
    at += aligned(length);
  }
  return found;
}

/** A string that ends with a zero byte. */
export function textOf(value: DataView | undefined): string | undefined {
  if (!value) return undefined;
  const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength), end = bytes.indexOf(0);
  return Buffer.from(end === -1 ? bytes : bytes.subarray(0, end)).toString("utf8");
}

export function attribute(type: number, value: Uint8Array, { holdsOthers = false } = {}): Uint8Array {
  const bytes = new Uint8Array(aligned(attributeHeaderBytes + value.byteLength)), view = new DataView(bytes.buffer);
  view.setUint16(0, attributeHeaderBytes + value.byteLength, true);
  view.setUint16(2, type | (holdsOthers ? nested : 0), true);
  bytes.set(value, attributeHeaderBytes);
  return bytes;
}

export const text = (value: string): Uint8Array => Buffer.from(`${value}\0`);
export const bytesOf = (view: DataView): Uint8Array => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

export function message({ type, flags: wanted, family, attributes = [] }: { type: number; flags: number; family: number; attributes?: readonly Uint8Array[] }): Uint8Array {
  const body = Buffer.concat(attributes), bytes = new Uint8Array(headerBytes + familyHeaderBytes + body.byteLength), view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.byteLength, true);
  view.setUint16(4, type, true);
  view.setUint16(6, wanted, true);
  bytes[headerBytes] = family;
  bytes.set(body, headerBytes + familyHeaderBytes);
  return bytes;
}

/** The messages in what was received at once. */
export function parseMessages(bytes: Uint8Array): NetlinkMessage[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), messages: NetlinkMessage[] = [];
  for (let at = 0; at + headerBytes <= bytes.byteLength;) {
    const length = view.getUint32(at, true), type = view.getUint16(at + 4, true);
    if (length < headerBytes || at + length > bytes.byteLength) break;
    const skipped = type < headerBytes ? headerBytes : headerBytes + familyHeaderBytes;
    if (length >= skipped) messages.push({ type, family: skipped === headerBytes ? 0 : bytes[at + headerBytes]!, body: new DataView(bytes.buffer, bytes.byteOffset + at + skipped, length - skipped) });
    at += aligned(length);
  }
  return messages;
}
