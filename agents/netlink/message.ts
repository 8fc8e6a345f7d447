/** The framing of netlink: headers and attributes. Both architectures that Skiff runs on are little-endian, as the kernel is then. */

export interface Message {
  type: number;
  flags: number;
  payload: DataView;
}

export const flag = { request: 0x1, ack: 0x4, dumpInterrupted: 0x10, replace: 0x100, excl: 0x200, create: 0x400, dump: 0x300 } as const;
export const messageType = { error: 2, done: 3, overrun: 4 } as const;

const headerBytes = 16;
const attributeHeaderBytes = 4;
const aligned = (length: number): number => (length + 3) & ~3;

/** One request. `fixed` is the family's own header, followed by attributes. */
export function encodeMessage(type: number, flags: number, sequence: number, fixed: Uint8Array, attributes: readonly Uint8Array[]): Uint8Array {
  const length = headerBytes + aligned(fixed.length) + attributes.reduce((sum, attribute) => sum + attribute.length, 0);
  const message = new Uint8Array(length), view = new DataView(message.buffer);
  view.setUint32(0, length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, flags, true);
  view.setUint32(8, sequence, true);
  message.set(fixed, headerBytes);
  let offset = headerBytes + aligned(fixed.length);
  for (const attribute of attributes) {
    message.set(attribute, offset);
    offset += attribute.length;
  }
  return message;
}

/** The messages in what was received; ends where a length makes no sense, and says whether it did. */
export function decodeMessages(bytes: Uint8Array): { messages: Message[]; whole: boolean } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const messages: Message[] = [];
  let offset = 0;
  while (offset + headerBytes <= bytes.length) {
    const length = view.getUint32(offset, true);
    if (length < headerBytes || offset + length > bytes.length) return { messages, whole: false };
    messages.push({ type: view.getUint16(offset + 4, true), flags: view.getUint16(offset + 6, true), payload: new DataView(bytes.buffer, bytes.byteOffset + offset + headerBytes, length - headerBytes) });
    offset += aligned(length);
  }
  return { messages, whole: offset >= bytes.length };
}

/** An attribute, padded. */
export function attribute(type: number, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(aligned(attributeHeaderBytes + value.length)), view = new DataView(bytes.buffer);
  view.setUint16(0, attributeHeaderBytes + value.length, true);
  view.setUint16(2, type, true);
  bytes.set(value, attributeHeaderBytes);
  return bytes;
}

const nestedFlag = 0x8000;
export const nested = (type: number, ...attributes: Uint8Array[]): Uint8Array => attribute(type | nestedFlag, new Uint8Array(Buffer.concat(attributes)));
export const u8 = (value: number): Uint8Array => Uint8Array.of(value);
export const u16be = (value: number): Uint8Array => Uint8Array.of(value >> 8, value & 0xff);
export const u32 = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);
export const cstring = (value: string): Uint8Array => new Uint8Array(Buffer.from(`${value}\0`));

/** The attributes after a header of `skip` bytes; of several of one type the last. */
export function attributesOf(payload: DataView, skip: number): Map<number, DataView> {
  const found = new Map<number, DataView>();
  let offset = aligned(skip);
  while (offset + attributeHeaderBytes <= payload.byteLength) {
    const length = payload.getUint16(offset, true);
    if (length < attributeHeaderBytes || offset + length > payload.byteLength) break;
    found.set(payload.getUint16(offset + 2, true) & ~0xc000, new DataView(payload.buffer, payload.byteOffset + offset + attributeHeaderBytes, length - attributeHeaderBytes));
    offset += aligned(length);
  }
  return found;
}

export const textOf = (value: DataView): string => new TextDecoder().decode(bytesOf(value)).replace(/\0.*$/s, "");
export const bytesOf = (value: DataView): Uint8Array => new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
