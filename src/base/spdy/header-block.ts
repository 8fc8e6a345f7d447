import { constants, inflateRawSync } from "node:zlib";
import { dictionary, dictionaryId } from "./dictionary.ts";

export type SpdyHeaders = Record<string, string>;

/** Uncompressed size of one header block, and how far back a deflate stream may refer. */
const maxBlockBytes = 32 << 10;
const windowBytes = 32 << 10;
const zlibMethod = 8;
const presetDictionary = 0x20;

/**
 * Writes header blocks as zlib *stored* blocks: valid for every inflater, and no compressor has to be kept for each connection. The empty
 * stored block at the end is the sync flush that Go's reader waits for.
 */
export class HeaderEncoder {
  private begun = false;

  /** Names are sent in lower case; a value may hold several, separated by NUL (SPDY/3.1 section 2.6.10). */
  encode(headers: SpdyHeaders): Buffer {
    const block = serialize(headers);
    if (block.length > maxBlockBytes) throw new RangeError("header block too large");
    const stored = Buffer.alloc(5);
    stored.writeUInt16LE(block.length, 1);
    stored.writeUInt16LE(~block.length & 0xffff, 3);
    const parts = [stored, block, Buffer.from([0, 0, 0, 0xff, 0xff])];
    if (!this.begun) {
      this.begun = true;
      const zlibHeader = Buffer.from([0x78, 0xbb, 0, 0, 0, 0]);
      zlibHeader.writeUInt32BE(dictionaryId, 2);
      parts.unshift(zlibHeader);
    }
    return Buffer.concat(parts);
  }
}

/**
 * Reads the header blocks of one direction. All blocks of a connection are one zlib stream, flushed to a byte boundary after each block: so
 * each can be inflated on its own, synchronously, with what went before as the dictionary.
 */
export class HeaderDecoder {
  private window: Buffer = dictionary;
  private begun = false;

  /** Throws for what is no header block, or is too large. */
  decode(compressed: Buffer): SpdyHeaders {
    const raw = this.begun ? compressed : compressed.subarray(checkZlibHeader(compressed));
    this.begun = true;
    const block = inflateRawSync(raw, { dictionary: this.window, finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: maxBlockBytes });
    this.window = Buffer.concat([this.window, block]).subarray(-windowBytes);
    return parse(block);
  }
}

/** The length of the zlib header with its dictionary id. */
function checkZlibHeader(bytes: Buffer): number {
  if (bytes.length < 6 || (bytes[0]! & 15) !== zlibMethod || bytes.readUInt16BE(0) % 31 !== 0) throw new Error("a header block is not a zlib stream");
  if ((bytes[1]! & presetDictionary) === 0) return 2;
  if (bytes.readUInt32BE(2) !== dictionaryId) throw new Error("a header block uses an unknown dictionary");
  return 6;
}

function serialize(headers: SpdyHeaders): Buffer {
  const entries = Object.entries(headers).map(([name, value]) => [Buffer.from(name.toLowerCase()), Buffer.from(value)] as const);
  const block = Buffer.alloc(entries.reduce((size, [name, value]) => size + 8 + name.length + value.length, 4));
  let at = block.writeUInt32BE(entries.length, 0);
  for (const pair of entries) {
    for (const text of pair) {
      at = block.writeUInt32BE(text.length, at);
      block.set(text, at);
      at += text.length;
    }
  }
  return block;
}

function parse(block: Buffer): SpdyHeaders {
  const headers: SpdyHeaders = Object.create(null);
  let at = 4;
  const text = (): string => {
    const length = block.readUInt32BE(at);
    const end = at + 4 + length;
    if (end > block.length) throw new Error("a header block is cut short");
    const read = block.toString("utf8", at + 4, end);
    at = end;
    return read;
  };
  for (let left = block.readUInt32BE(0); left > 0; left--) {
    const name = text();
    if (name === "" || name in headers) throw new Error("a header block has an empty or repeated name");
    headers[name] = text();
  }
  return headers;
}
