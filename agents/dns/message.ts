/** DNS messages as bytes (RFC 1035, RFC 6891): just what a resolver between pods and name servers reads and changes. */

export const types = { A: 1, NS: 2, CNAME: 5, SOA: 6, PTR: 12, HINFO: 13, TXT: 16, AAAA: 28, SRV: 33, OPT: 41, ANY: 255 } as const;
export const rcodes = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 } as const;
export const flags = { response: 0x8000, authoritative: 0x0400, truncated: 0x0200, recursionDesired: 0x0100, recursionAvailable: 0x0080, checkingDisabled: 0x0010 } as const;
export const headerLength = 12;
const internetClass = 1;
const longestName = 255;

/** What an answer may be without EDNS, and what a datagram carries through every network. */
const classicUdpSize = 512;
export const largestUdpSize = 1232;

export class MessageError extends Error {
  override readonly name = "MessageError";
}

/** A question, and how its answer must look. */
export interface Query {
  /** The message it came in. */
  bytes: Buffer;
  id: number;
  flags: number;
  /** In lower case, without the dot at the end; empty for the root. */
  name: string;
  type: number;
  /** Where the question section ends. */
  questionEnd: number;
  /** Absent when the client doesn't know EDNS. */
  edns?: { udpSize: number; wantsDnssec: boolean; version: number };
}

/** Undefined for what must not be answered at all; throws `MessageError` for what is no proper query. */
export function parseQuery(bytes: Buffer): Query | undefined {
  if (bytes.length < headerLength || bytes.readUInt16BE(2) & flags.response) return undefined;
  if (bytes.readUInt16BE(4) !== 1) throw new MessageError("a query has one question");
  const { name, end } = readName(bytes, headerLength, { pointers: false });
  if (end + 4 > bytes.length) throw new MessageError("the question ends early");
  const query: Query = { bytes, id: bytes.readUInt16BE(0), flags: bytes.readUInt16BE(2), name, type: bytes.readUInt16BE(end), questionEnd: end + 4 };
  if (bytes.readUInt16BE(end + 2) !== internetClass) query.type = 0;
  if (bytes.readUInt32BE(6) || bytes.readUInt16BE(10)) {
    for (const { type, ttlAt } of records(bytes, query.questionEnd)) {
      if (type === types.OPT) query.edns = { udpSize: bytes.readUInt16BE(ttlAt - 2), version: bytes[ttlAt + 1]!, wantsDnssec: Boolean(bytes[ttlAt + 2]! & 0x80) };
    }
  }
  return query;
}

export const opcodeOf = (queryFlags: number): number => (queryFlags >> 11) & 15;
export const rcodeOf = (reply: Buffer): number => reply[3]! & 15;
export const isTruncated = (reply: Buffer): boolean => Boolean(reply.readUInt16BE(2) & flags.truncated);

/** Reads a name; compression pointers lead backwards only, so that none can go in circles. */
export function readName(bytes: Buffer, start: number, { pointers = true } = {}): { name: string; end: number } {
  let at = start, end = -1, bound = start, name = "", length = 0;
  for (;;) {
    const size = bytes[at];
    if (size === undefined) throw new MessageError("a name ends early");
    if (size === 0) break;
    if ((size & 0xc0) === 0xc0 && pointers && at + 1 < bytes.length) {
      const target = ((size & 0x3f) << 8) | bytes[at + 1]!;
      if (target >= bound) throw new MessageError("a name points forward");
      if (end < 0) end = at + 2;
      at = bound = target;
      continue;
    }
    length += size + 1;
    if (size > 63 || at + 1 + size > bytes.length || length >= longestName) throw new MessageError("a name is too long");
    const label = bytes.toString("latin1", at + 1, at + 1 + size);
    // Such a label would look like two of them.
    if (label.includes(".")) throw new MessageError("a label has a dot in it");
    name += name ? `.${label}` : label;
    at += 1 + size;
  }
  return { name: lowerCase(name), end: end < 0 ? at + 1 : end };
}

/** Letters of ASCII only: other bytes are no letters in DNS. */
const lowerCase = (name: string): string => (/[\x80-\xff]/.test(name) ? name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()) : name.toLowerCase());

export interface WireRecord {
  section: "answer" | "authority" | "additional";
  /** Where it begins, its TTL stands, its data stand, and it ends. */
  at: number;
  ttlAt: number;
  dataAt: number;
  end: number;
  type: number;
}

/** All records after the question. Throws `MessageError` at the first that is broken. */
export function* records(bytes: Buffer, questionEnd: number): Generator<WireRecord> {
  let at = questionEnd;
  for (const [section, countAt] of [["answer", 6], ["authority", 8], ["additional", 10]] as const) {
    for (let count = bytes.readUInt16BE(countAt); count > 0; count--) {
      const nameEnd = skipName(bytes, at);
      if (nameEnd + 10 > bytes.length) throw new MessageError("a record ends early");
      const end = nameEnd + 10 + bytes.readUInt16BE(nameEnd + 8);
      if (end > bytes.length) throw new MessageError("a record ends early");
      yield { section, at, ttlAt: nameEnd + 4, dataAt: nameEnd + 10, end, type: bytes.readUInt16BE(nameEnd) };
      at = end;
    }
  }
}

function skipName(bytes: Buffer, start: number): number {
  for (let at = start; ; ) {
    const size = bytes[at];
    if (size === undefined || (size & 0xc0) === 0x40 || (size & 0xc0) === 0x80) throw new MessageError("a name ends early");
    if (size === 0) return at + 1;
    if (size > 63) return at + 2;
    at += 1 + size;
  }
}

/** The message as it was stored, for this client: its id, the letters of its question as it wrote them, and no longer than it can take. */
export function forClient(stored: Buffer, query: Query, overTcp: boolean): Buffer {
  const opt = query.edns ? optLength : 0;
  const limit = overTcp ? 0xffff : Math.min(largestUdpSize, Math.max(classicUdpSize, query.edns?.udpSize ?? 0));
  const whole = stored.length + opt <= limit;
  const reply = Buffer.allocUnsafe((whole ? stored.length : limit) + opt);
  const length = whole ? stored.copy(reply) : cut(stored, query.questionEnd, limit - opt, reply);
  reply.writeUInt16BE(query.id, 0);
  reply.writeUInt16BE((reply.readUInt16BE(2) & ~(flags.recursionDesired | flags.checkingDisabled)) | (query.flags & (flags.recursionDesired | flags.checkingDisabled)), 2);
  query.bytes.copy(reply, headerLength, headerLength, query.questionEnd);
  if (!opt) return reply.subarray(0, length);
  writeOpt(reply, length, query.edns!.wantsDnssec);
  reply.writeUInt16BE(reply.readUInt16BE(10) + 1, 10);
  return reply.subarray(0, length + opt);
}

/** As many whole records as fit, marked as cut: the client asks again over TCP, and one that can't has something. */
function cut(stored: Buffer, questionEnd: number, limit: number, reply: Buffer): number {
  let length = questionEnd;
  const counts = { answer: 0, authority: 0, additional: 0 };
  for (const { section, end } of records(stored, questionEnd)) {
    if (end > limit) break;
    length = end;
    counts[section]++;
  }
  stored.copy(reply, 0, 0, length);
  reply.writeUInt16BE(reply.readUInt16BE(2) | flags.truncated, 2);
  reply.writeUInt16BE(counts.answer, 6);
  reply.writeUInt16BE(counts.authority, 8);
  reply.writeUInt16BE(counts.additional, 10);
  return length;
}

const optLength = 11;

function writeOpt(bytes: Buffer, at: number, wantsDnssec: boolean, extendedRcode = 0): void {
  bytes.writeUInt8(0, at);
  bytes.writeUInt16BE(types.OPT, at + 1);
  bytes.writeUInt16BE(largestUdpSize, at + 3);
  bytes.writeUInt32BE((extendedRcode << 24) | (wantsDnssec ? 0x8000 : 0), at + 5);
  bytes.writeUInt16BE(0, at + 9);
}

/** An answer without records: why there is none. */
export function refusal(query: Query, rcode: number): Buffer {
  const bytes = Buffer.alloc(query.questionEnd);
  query.bytes.copy(bytes, 0, 0, query.questionEnd);
  bytes.writeUInt16BE(flags.response | flags.recursionAvailable | (query.flags & 0x7800) | rcode, 2);
  bytes.fill(0, 6, headerLength);
  return forClient(bytes, query, true);
}

/** For what can't be read: its id, and that. */
export function formatError(bytes: Buffer): Buffer {
  const head = Buffer.alloc(headerLength);
  bytes.copy(head, 0, 0, 2);
  head.writeUInt16BE(flags.response | rcodes.FORMERR, 2);
  return head;
}

/** RFC 6891: a version of EDNS that isn't known. */
export function badVersion(query: Query): Buffer {
  const { edns: _, ...plain } = query;
  const bytes = Buffer.concat([refusal(plain, rcodes.NOERROR), Buffer.alloc(optLength)]);
  writeOpt(bytes, bytes.length - optLength, false, 1);
  bytes.writeUInt16BE(1, 10);
  return bytes;
}
