/** The wire format of D-Bus, as far as two or three calls of a system's services need it. Source: https://dbus.freedesktop.org/doc/dbus-specification.html, "Message Protocol". */
export const MessageType = { methodCall: 1, methodReturn: 2, error: 3, signal: 4 } as const;

export interface Message {
  type: number;
  serial: number;
  path?: string;
  interface?: string;
  member?: string;
  errorName?: string;
  replySerial?: number;
  destination?: string;
  sender?: string;
  signature?: string;
  /** Strings, numbers and booleans; a 64-bit number is a bigint. */
  body: readonly Value[];
}

export type Value = string | number | bigint | boolean | { readonly signature: string; readonly value: Value };

/** Header fields by their codes, with their types. */
const fields = [["path", 1, "o"], ["interface", 2, "s"], ["member", 3, "s"], ["errorName", 4, "s"], ["replySerial", 5, "u"], ["destination", 6, "s"], ["sender", 7, "s"], ["signature", 8, "g"]] as const;
const little = 0x6c;
/** More than any answer we ask for. */
const mostBytes = 1024 * 1024;

export function encodeMessage(message: Omit<Message, "body"> & { body?: readonly Value[] }): Buffer {
  const body = new Writer();
  for (const [index, each] of (message.body ?? []).entries()) body.value(message.signature![index]!, each);
  const header = new Writer();
  for (const byte of [little, message.type, 0, 1]) header.value("y", byte);
  header.value("u", body.length);
  header.value("u", message.serial);
  const list = new Writer(16);
  for (const [name, code, type] of fields) {
    const field = message[name];
    if (field === undefined) continue;
    list.align(8);
    list.value("y", code);
    list.value("v", { signature: type, value: field });
  }
  header.value("u", list.length);
  return Buffer.concat([header.bytes(), list.bytes(), Buffer.alloc(-(16 + list.length) & 7), body.bytes()]);
}

/** The first message of what has been received, and how many bytes it took; undefined while it is not complete. Throws where it makes no sense. */
export function decodeMessage(received: Buffer): { message: Message; length: number } | undefined {
  if (received.length < 16) return undefined;
  const isLittle = received[0] === little;
  const read = (at: number): number => (isLittle ? received.readUInt32LE(at) : received.readUInt32BE(at));
  const bodyLength = read(4), headerLength = 16 + read(12), bodyAt = (headerLength + 7) & ~7;
  if (received[3] !== 1 || bodyLength + headerLength > mostBytes) throw new Error("not a message of D-Bus");
  if (received.length < bodyAt + bodyLength) return undefined;
  const message: Message = { type: received[1]!, serial: read(8), body: [] };
  const header = new Reader(received.subarray(0, headerLength), isLittle, 16);
  while (header.at < headerLength) {
    header.align(8);
    const code = header.value("y"), { value } = header.value("v") as { value: Value };
    const field = fields.find(([, each]) => each === code);
    if (field) Object.assign(message, { [field[0]]: value });
  }
  const body = new Reader(received.subarray(bodyAt, bodyAt + bodyLength), isLittle);
  message.body = readableValues(body, message.signature ?? "");
  return { message, length: bodyAt + bodyLength };
}

/** Up to the first array or struct: nobody here asks for any. */
function readableValues(body: Reader, signature: string): Value[] {
  const values: Value[] = [];
  for (const type of signature) {
    try {
      values.push(body.value(type));
    } catch (error) {
      if (error instanceof UnknownType) break;
      throw error;
    }
  }
  return values;
}

const alignments: Readonly<Record<string, number>> = { y: 1, b: 4, n: 2, q: 2, i: 4, u: 4, x: 8, t: 8, s: 4, o: 4, g: 1, v: 1 };

class Writer {
  readonly #parts: Buffer[] = [];
  length = 0;
  /** `origin` is where it lies in the message: alignment counts from there. */
  constructor(private readonly origin = 0) {}

  align(to: number): void {
    this.#add(Buffer.alloc(-(this.origin + this.length) & (to - 1)));
  }

  value(type: string, value: Value): void {
    this.align(alignments[type] ?? unknown(type));
    if (type === "y") this.#add(Buffer.of(value as number));
    else if (type === "b" || type === "u") this.#number(4, (buffer) => buffer.writeUInt32LE(Number(value)));
    else if (type === "i") this.#number(4, (buffer) => buffer.writeInt32LE(value as number));
    else if (type === "t") this.#number(8, (buffer) => buffer.writeBigUInt64LE(BigInt(value as bigint)));
    else if (type === "s" || type === "o") {
      this.value("u", Buffer.byteLength(value as string));
      this.#add(Buffer.from(`${value as string}\0`));
    } else if (type === "g") this.#add(Buffer.concat([Buffer.of((value as string).length), Buffer.from(`${value as string}\0`)]));
    else if (type === "v") {
      const variant = value as { signature: string; value: Value };
      this.value("g", variant.signature);
      this.value(variant.signature, variant.value);
    } else unknown(type);
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }

  #number(size: number, write: (buffer: Buffer) => void): void {
    const buffer = Buffer.alloc(size);
    write(buffer);
    this.#add(buffer);
  }

  #add(part: Buffer): void {
    this.#parts.push(part);
    this.length += part.length;
  }
}

class Reader {
  constructor(private readonly buffer: Buffer, private readonly little: boolean, public at = 0) {}

  align(to: number): void {
    this.at = (this.at + to - 1) & ~(to - 1);
  }

  value(type: string): Value {
    const alignment = alignments[type] ?? unknown(type);
    this.align(alignment);
    const at = this.at, { buffer, little: isLittle } = this;
    switch (type) {
      case "s": case "o": return this.#text(this.value("u") as number);
      case "g": return this.#text(this.value("y") as number);
      case "v": {
        const signature = this.value("g") as string;
        return { signature, value: this.value(signature) };
      }
      default: this.at += alignment;
    }
    switch (type) {
      case "y": return buffer.readUInt8(at);
      case "b": return (isLittle ? buffer.readUInt32LE(at) : buffer.readUInt32BE(at)) !== 0;
      case "u": return isLittle ? buffer.readUInt32LE(at) : buffer.readUInt32BE(at);
      case "i": return isLittle ? buffer.readInt32LE(at) : buffer.readInt32BE(at);
      case "n": return isLittle ? buffer.readInt16LE(at) : buffer.readInt16BE(at);
      case "q": return isLittle ? buffer.readUInt16LE(at) : buffer.readUInt16BE(at);
      case "x": return isLittle ? buffer.readBigInt64LE(at) : buffer.readBigInt64BE(at);
      default: return isLittle ? buffer.readBigUInt64LE(at) : buffer.readBigUInt64BE(at);
    }
  }

  #text(length: number): string {
    const text = this.buffer.subarray(this.at, this.at + length).toString();
    this.at += length + 1;
    return text;
  }
}

class UnknownType extends Error {}

function unknown(type: string): never {
  throw new UnknownType(`D-Bus type ${JSON.stringify(type)} is not known here`);
}
