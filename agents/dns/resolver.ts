import { isIPv4 } from "node:net";
import type { Clock } from "../../src/base/clock.ts";
import type { AnswerCache, CachedAnswer } from "./answer-cache.ts";
import { type DnsConfiguration, defaultConfiguration } from "./configuration.ts";
import type { Forwarder } from "./forwarder.ts";
import { badVersion, forClient, formatError, MessageError, opcodeOf, parseQuery, type Query, rcodes, rcodeOf, readName, records, refusal, types } from "./message.ts";
import { type Resource, writeReply } from "./message-writer.ts";
import type { NameServerSource } from "./name-servers.ts";
import { addressOfReverseName } from "./reverse-names.ts";
import type { ZoneAnswers } from "./zone-answers.ts";

export interface ResolverOptions {
  zone: Pick<ZoneAnswers, "find">;
  forwarder: Pick<Forwarder, "ask" | "isReachable" | "isProbe">;
  servers: NameServerSource;
  cache: AnswerCache;
  clock: Clock;
}

/** Since the start. */
export interface DnsCounts {
  udp: number;
  tcp: number;
  /** Answers by their code. */
  answers: Uint32Array;
  /** Of names elsewhere. */
  cached: number;
  stale: number;
  forwarded: number;
  failed: number;
}

/** RFC 8767: a client that has waited so long gets what there is. */
const staleAfterMs = 1800;
const hostTtl = 30;
const longestAliasChain = 8;
const transfers = [251, 252];

/** Answers queries: hosts of the configuration, names of the cluster, what was answered before, and what name servers say. */
export class Resolver {
  configuration: DnsConfiguration = defaultConfiguration;
  readonly counts: DnsCounts = { udp: 0, tcp: 0, answers: new Uint32Array(16), cached: 0, stale: 0, forwarded: 0, failed: 0 };
  /** Questions under way, by cache key: those who ask the same wait for the same answer, so that a loop can't grow. */
  readonly #underway = new Map<string, Promise<Buffer>>();

  constructor(private readonly options: ResolverOptions) {}

  /** The answer, at once where it is known; undefined for what must not be answered. */
  answer(bytes: Buffer, overTcp: boolean): Buffer | undefined | Promise<Buffer> {
    this.counts[overTcp ? "tcp" : "udp"]++;
    const answer = this.#answer(bytes, overTcp);
    return answer === undefined || Buffer.isBuffer(answer) ? this.#counted(answer) : answer.then((late) => this.#counted(late));
  }

  #counted<T extends Buffer | undefined>(answer: T): T {
    if (answer) this.counts.answers[rcodeOf(answer)]!++;
    return answer;
  }

  #answer(bytes: Buffer, overTcp: boolean): Buffer | undefined | Promise<Buffer> {
    let query: Query | undefined;
    try {
      query = parseQuery(bytes);
    } catch (error) {
      if (error instanceof MessageError || error instanceof RangeError) return formatError(bytes);
      throw error;
    }
    if (!query) return undefined;
    if (opcodeOf(query.flags) !== 0) return refusal(query, rcodes.NOTIMP);
    if (query.edns && query.edns.version > 0) return badVersion(query);
    if (query.type === 0 || transfers.includes(query.type)) return refusal(query, rcodes.REFUSED);
    return this.#resolve(query, overTcp);
  }

  #resolve(query: Query, overTcp: boolean): Buffer | Promise<Buffer> {
    const found = this.#known(query, query.name);
    if (Buffer.isBuffer(found)) return forClient(found, query, overTcp);
    const answer = found ? this.#throughAlias(query, found.alias) : this.#forward(query, query.name);
    if (Buffer.isBuffer(answer)) return forClient(answer, query, overTcp);
    // The bytes it came in are the receiver's, only for now.
    query.bytes = Buffer.from(query.bytes.subarray(0, query.questionEnd));
    return answer.then((message) => forClient(message, query, overTcp), () => refusal(query, rcodes.SERVFAIL));
  }

  /** What needs nobody else. */
  #known({ type }: Query, name: string): Buffer | { alias: string } | undefined {
    const { forwarder, zone } = this.options;
    const host = this.configuration.hosts.size ? this.#host(name, type) : undefined;
    if (host) return host;
    const answer = zone.find(name, type);
    if (answer) return answer.alias === undefined ? answer.message : { alias: answer.alias };
    return type === types.HINFO && forwarder.isProbe(name) ? writeReply({ name, type }, { rcode: rcodes.NXDOMAIN, authoritative: false, answers: [] }) : undefined;
  }

  #host(name: string, type: number): Buffer | undefined {
    const { hosts, namesOfHosts } = this.configuration;
    const reply = (answers: readonly Resource[]): Buffer => writeReply({ name, type }, { rcode: rcodes.NOERROR, authoritative: true, answers });
    const ips = hosts.get(name);
    if (ips) return reply(ips.filter((ip) => type === (isIPv4(ip) ? types.A : types.AAAA)).map((address) => ({ type: isIPv4(address) ? "A" : "AAAA", name, ttl: hostTtl, address })));
    const reverse = type === types.PTR ? namesOfHosts.get(addressOfReverseName(name) ?? "") : undefined;
    return reverse ? reply([{ type: "PTR", name, ttl: hostTtl, target: reverse }]) : undefined;
  }

  /** A cached answer, or one from a name server; a stale one when there is none, or none soon. */
  #forward(query: Query, name: string): Buffer | Promise<Buffer> {
    const { cache, clock, forwarder, servers } = this.options;
    const key = `${query.type} ${query.edns?.wantsDnssec ? "d" : ""}${query.flags & 0x10 ? "c" : ""} ${name}`;
    const to = servers.serversFor(name);
    const cached = cache.get(key);
    if (cached && !cached.stale) {
      this.counts.cached++;
      if (cached.ending) this.#ask(key, query, name).catch(() => undefined);
      return cached.message;
    }
    const asked = this.#ask(key, query, name);
    if (!cached) return asked;
    if (!forwarder.isReachable(to)) {
      asked.catch(() => undefined);
      this.counts.stale++;
      return cached.message;
    }
    return orStale(asked, cached, clock).then((message) => {
      if (message === cached.message) this.counts.stale++;
      return message;
    });
  }

  /** Asks the name servers, once for all who ask. */
  #ask(key: string, query: Query, name: string): Promise<Buffer> {
    const { cache, forwarder, servers } = this.options;
    const underway = this.#underway.get(key);
    if (underway) return underway;
    this.counts.forwarded++;
    const asked = forwarder.ask(servers.serversFor(name), { name, type: query.type, wantsDnssec: query.edns?.wantsDnssec ?? false, checkingDisabled: Boolean(query.flags & 0x10) }).then((message) => {
      const complete = message.readUInt16BE(4) === 1 ? message : writeReply({ name, type: query.type }, { rcode: rcodeOf(message), authoritative: false, answers: [] });
      cache.put(key, complete, readName(complete, 12).end + 4);
      return complete;
    }, (error: unknown) => {
      this.counts.failed++;
      throw error;
    }).finally(() => this.#underway.delete(key));
    this.#underway.set(key, asked);
    return asked;
  }

  /** The other name and what it leads to in one answer: resolvers as small as musl's don't ask again by themselves. */
  async #throughAlias(query: Query, alias: string): Promise<Buffer> {
    const answers: Resource[] = [];
    let from = query.name, to = alias, rcode: number = rcodes.NOERROR;
    while (answers.length < longestAliasChain) {
      answers.push({ type: "CNAME", name: from, ttl: hostTtl, target: to });
      const known = this.#known(query, to);
      if (known && !Buffer.isBuffer(known)) {
        [from, to] = [to, known.alias];
        continue;
      }
      const message = await (known ?? this.#forward(query, to));
      rcode = rcodeOf(message);
      answers.push(...addressesIn(message));
      break;
    }
    return writeReply(query, { rcode, authoritative: true, answers });
  }
}

/** Addresses, and the other names on the way to them: nobody asks an ExternalName Service for more. */
function addressesIn(message: Buffer): Resource[] {
  const found: Resource[] = [];
  const questionEnd = readName(message, 12).end + 4;
  for (const { section, type, at, ttlAt, dataAt, end } of records(message, questionEnd)) {
    if (section !== "answer") break;
    const { name } = readName(message, at), ttl = message.readUInt32BE(ttlAt);
    if (type === types.A && end - dataAt === 4) found.push({ type: "A", name, ttl, address: [...message.subarray(dataAt, end)].join(".") });
    if (type === types.AAAA && end - dataAt === 16) found.push({ type: "AAAA", name, ttl, address: message.toString("hex", dataAt, end).match(/.{4}/g)!.join(":") });
    if (type === types.CNAME) found.push({ type: "CNAME", name, ttl, target: readName(message, dataAt).name });
  }
  return found;
}

async function orStale(asked: Promise<Buffer>, cached: CachedAnswer, clock: Clock): Promise<Buffer> {
  const over = new AbortController();
  const late = clock.sleep(staleAfterMs, over.signal).then(() => cached.message, () => cached.message);
  try {
    const answer = await Promise.race([asked, late]);
    return rcodeOf(answer) === rcodes.SERVFAIL || rcodeOf(answer) === rcodes.REFUSED ? cached.message : answer;
  } catch {
    return cached.message;
  } finally {
    asked.catch(() => undefined);
    over.abort();
  }
}
