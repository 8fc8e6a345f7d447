import { isUtf8 } from "node:buffer";

/** As deep as the JSON decoder goes. */
const deepest = 10_000;
/** Times, the "expected later encoding" of byte strings, and CBOR's mark of itself. */
const knownTags = new Set([0, 1, 21, 22, 23, 55_799]);
const endless = Number.POSITIVE_INFINITY;

interface Container {
  /** Items yet to come; of a map, keys and values. */
  left: number;
  keys?: Set<string>;
  expectsKey: boolean;
  /** A tag's one item. */
  tag?: number;
}

/**
 * Checks that bytes are one CBOR item of what Kubernetes takes, before a decoder allocates what they announce: no repeated keys, keys that are
 * strings, valid UTF-8, known tags, no simple values but true, false and null. Throws a RangeError that says what is wrong.
 */
export function scanCbor(bytes: Buffer): void {
  const stack: Container[] = [];
  let at = 0;
  do {
    const container = stack.at(-1);
    const initial = byteAt(bytes, at);
    if (initial === 0xff) {
      if (container?.left !== endless || (container.keys && !container.expectsKey)) throw new RangeError("unexpected \"break\" code");
      at++;
      stack.pop();
      finished(stack);
      continue;
    }
    at = item(initial >> 5, initial & 31);
  } while (stack.length > 0);
  if (at !== bytes.length) throw new RangeError(`${bytes.length - at} bytes of extraneous data starting at index ${at}`);

  /** Passes over one item's head, and its content where that isn't items. Returns where the next begins. */
  function item(major: number, additional: number): number {
    const container = stack.at(-1);
    if (container?.keys && container.expectsKey && major !== 2 && major !== 3) throw new RangeError("a map's key isn't a string");
    const { value, next } = argument(bytes, at, additional);
    switch (major) {
      case 0: case 1: return done(next);
      case 2: case 3: return text(major, value, next);
      case 4: case 5: return open({ left: major === 5 ? value * 2 : value, keys: major === 5 ? new Set() : undefined, expectsKey: major === 5 }, next);
      case 6:
        if (!knownTags.has(value)) throw new RangeError(`tag ${value} is not supported`);
        if (container?.tag !== undefined && container.tag !== 55_799) throw new RangeError("a tag of a tag");
        return open({ left: 1, expectsKey: false, tag: value }, next);
      default:
        if (additional !== 20 && additional !== 21 && additional !== 22 && (additional < 25 || additional > 27)) throw new RangeError(`simple value ${value} is not supported`);
        return done(next);
    }
  }

  function text(major: number, length: number, start: number): number {
    if (length === endless) throw new RangeError("strings of indefinite length are not supported");
    const end = start + length;
    if (end > bytes.length) throw unexpectedEnd();
    const container = stack.at(-1);
    const content = bytes.subarray(start, end);
    const isBinary = container?.tag !== undefined && container.tag > 20 && container.tag < 24;
    if ((major === 3 || !isBinary) && !isUtf8(content)) throw new RangeError("invalid UTF-8 string");
    if (container?.keys && container.expectsKey) {
      const key = content.toString();
      if (container.keys.has(key)) throw new RangeError(`found duplicate map key ${JSON.stringify(key)}`);
      container.keys.add(key);
    }
    return done(end);
  }

  function open(container: Container, next: number): number {
    if (container.left !== endless && container.left > bytes.length - next) throw unexpectedEnd();
    if (container.left === 0) return done(next);
    if (stack.push(container) > deepest) throw new RangeError("exceeded max nested level");
    return next;
  }

  function done(next: number): number {
    finished(stack);
    return next;
  }
}

/** Counts an item that has ended, and the containers that end with it. */
function finished(stack: Container[]): void {
  for (let container = stack.at(-1); container; container = stack.at(-1)) {
    container.left--;
    if (container.keys) container.expectsKey = !container.expectsKey;
    if (container.left > 0) return;
    stack.pop();
  }
}

function byteAt(bytes: Buffer, at: number): number {
  const byte = bytes[at];
  if (byte === undefined) throw unexpectedEnd();
  return byte;
}

/** The number in an item's head; its bits don't matter where it is a float. */
function argument(bytes: Buffer, at: number, additional: number): { value: number; next: number } {
  if (additional < 24) return { value: additional, next: at + 1 };
  if (additional === 31) return { value: endless, next: at + 1 };
  if (additional > 27) throw new RangeError("invalid additional information");
  const size = 1 << (additional - 24);
  if (at + 1 + size > bytes.length) throw unexpectedEnd();
  const value = size === 8 ? Number(bytes.readBigUInt64BE(at + 1)) : bytes.readUIntBE(at + 1, size);
  return { value, next: at + 1 + size };
}

const unexpectedEnd = (): RangeError => new RangeError("unexpected EOF");
