import { flags, isTruncated, rcodeOf, rcodes, records, types } from "./message.ts";

/** A name server's answer, with id 0 and without its OPT record. */
interface Entry {
  message: Buffer;
  /** Where the TTLs stand. */
  ttls: Uint16Array;
  /** Milliseconds on the monotonic clock. */
  storedAt: number;
  freshUntil: number;
  hits: number;
}

export interface CachedAnswer {
  message: Buffer;
  /** Its time is over: it is for when nobody has a better one. */
  stale: boolean;
  /** Asked for again and again, and about to end: time to ask anew. */
  ending: boolean;
}

export interface AnswerCacheLimits {
  entries: number;
  bytes: number;
  /** Seconds. */
  longestTtl: number;
  longestNegativeTtl: number;
  /** How long an answer is kept after its end. */
  staleSeconds: number;
}

const defaultLimits: AnswerCacheLimits = { entries: 4096, bytes: 2 * 1024 * 1024, longestTtl: 3600, longestNegativeTtl: 300, staleSeconds: 24 * 3600 };
/** A denial that doesn't say how long it holds. */
const shortSeconds = 5;
/** RFC 8767: what an answer past its end says of itself. */
const staleTtl = 30;

/** Answers of name servers, the least recently used forgotten first. Time is that of the monotonic clock, so that a clock that is set changes nothing. */
export class AnswerCache {
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;
  readonly #limits: AnswerCacheLimits;

  constructor(private readonly monotonic: () => number, limits: Partial<AnswerCacheLimits> = {}) {
    this.#limits = { ...defaultLimits, ...limits };
  }

  get size(): { entries: number; bytes: number } {
    return { entries: this.#entries.size, bytes: this.#bytes };
  }

  /** The answer as of now: its TTLs are what is left of them. */
  get(key: string): CachedAnswer | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    const now = this.monotonic();
    if (now > entry.freshUntil + this.#limits.staleSeconds * 1000) {
      this.#forget(key);
      return undefined;
    }
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    entry.hits++;
    const stale = now >= entry.freshUntil, age = Math.floor((now - entry.storedAt) / 1000);
    const message = Buffer.from(entry.message);
    for (const at of entry.ttls) message.writeUInt32BE(stale ? staleTtl : Math.max(0, message.readUInt32BE(at) - age), at);
    return { message, stale, ending: !stale && entry.hits > 2 && entry.freshUntil - now < (entry.freshUntil - entry.storedAt) / 10 };
  }

  /** Keeps what may be kept. `questionEnd` as in the query. */
  put(key: string, message: Buffer, questionEnd: number): void {
    if (isTruncated(message)) return;
    const { seconds, ttls } = lifetimeOf(message, questionEnd, this.#limits);
    if (seconds <= 0) return;
    this.#forget(key);
    const now = this.monotonic();
    this.#entries.set(key, { message, ttls, storedAt: now, freshUntil: now + seconds * 1000, hits: 0 });
    this.#bytes += message.length + key.length;
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#limits.entries && this.#bytes <= this.#limits.bytes) break;
      this.#forget(oldest);
    }
  }

  /** All are stale from now on: name servers are others, which may know better, or know nothing. */
  expire(): void {
    const now = this.monotonic();
    for (const entry of this.#entries.values()) entry.freshUntil = Math.min(entry.freshUntil, now);
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }

  #forget(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    this.#bytes -= entry.message.length + key.length;
  }
}

/** RFC 2308: a denial lives as long as its SOA says. TTLs that are longer than the limit are cut in the message too. */
function lifetimeOf(message: Buffer, questionEnd: number, { longestTtl, longestNegativeTtl }: AnswerCacheLimits): { seconds: number; ttls: Uint16Array } {
  const rcode = rcodeOf(message);
  if ((rcode !== rcodes.NOERROR && rcode !== rcodes.NXDOMAIN) || !(message.readUInt16BE(2) & flags.response)) return { seconds: 0, ttls: new Uint16Array() };
  const ttls: number[] = [];
  let shortest = Infinity, denial: number | undefined, answers = 0;
  for (const { section, type, ttlAt, end } of records(message, questionEnd)) {
    if (type === types.OPT) continue;
    const isDenial = section === "authority" && type === types.SOA;
    const ttl = Math.min(message.readUInt32BE(ttlAt), longestTtl, isDenial ? Math.min(message.readUInt32BE(end - 4), longestNegativeTtl) : Infinity);
    message.writeUInt32BE(ttl, ttlAt);
    ttls.push(ttlAt);
    if (section === "answer") answers++;
    if (isDenial) denial = ttl;
    if (section !== "additional") shortest = Math.min(shortest, ttl);
  }
  const negative = rcode === rcodes.NXDOMAIN || answers === 0;
  return { seconds: negative ? denial ?? shortSeconds : shortest, ttls: Uint16Array.from(ttls) };
}
