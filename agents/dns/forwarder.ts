import { randomBytes, randomInt } from "node:crypto";
import type { Clock } from "../../src/base/clock.ts";
import type { Logger } from "../../src/base/log.ts";
import { exchange, type NameServer, serverName } from "./exchange.ts";
import { flags, headerLength, largestUdpSize, rcodeOf, rcodes, records, types } from "./message.ts";
import { writeQuery } from "./message-writer.ts";

export interface ForwardedQuestion {
  name: string;
  type: number;
  wantsDnssec: boolean;
  checkingDisabled: boolean;
}

export interface ForwarderOptions {
  clock: Clock;
  log: Logger;
  /** What the log says about a name server that sends our questions back. */
  loopAdvice: string;
  ask?: typeof exchange;
}

/** A client gives up after five seconds, and asks the next server of its own, which is us again. */
const longestMs = 4000;
/** With all servers known to be away, most likely nobody answers. */
const longestWhileAwayMs = 1500;
/** How long one server may think before the next one is asked as well. */
const patienceMs = 700;
const mostAttempts = 4;
const firstRestMs = 1000, longestRestMs = 30_000;
const mostAtOnce = 256;

interface Health {
  failures: number;
  /** Before that, on the monotonic clock, others are asked first. */
  restsUntil: number;
  /** It answers with errors where EDNS is used. */
  withoutEdns: boolean;
  /** It sends questions back to us. */
  loops: boolean;
  probed: boolean;
}

/**
 * Asks name servers in their order, those that lately failed last. One that is slow is not waited for: the next is asked beside it, and the first answer counts.
 * The memory it takes is bounded: beyond `mostAtOnce` questions under way it refuses more.
 */
export class Forwarder {
  readonly #health = new Map<string, Health>();
  readonly #probes = new Map<string, string>();
  #underway = 0;

  constructor(private readonly options: ForwarderOptions) {}

  /** Has one of them answered when it was last asked, or wasn't asked yet? */
  isReachable(servers: readonly NameServer[]): boolean {
    return servers.some((server) => {
      const { failures, loops } = this.#healthOf(server);
      return failures === 0 && !loops;
    });
  }

  /** Forgets servers that failed: the network is another one. */
  reset(): void {
    this.#health.clear();
  }

  /** The answer with id 0, and without OPT. Rejects when no server has one. */
  async ask(servers: readonly NameServer[], question: ForwardedQuestion): Promise<Buffer> {
    if (this.#underway >= mostAtOnce) throw new Error("too many questions are under way to name servers");
    const usable = servers.filter((server) => !this.#healthOf(server).loops);
    if (!usable.length) throw new Error("there is no name server to ask");
    this.#underway++;
    const stop = new AbortController();
    try {
      return await this.#race(this.#inOrder(usable), question, stop.signal);
    } finally {
      this.#underway--;
      stop.abort(new Error("another name server was faster"));
    }
  }

  /** Is this question one of ours, by which we see whether a server sends questions back? */
  isProbe(name: string): boolean {
    const server = this.#probes.get(name);
    if (server === undefined) return false;
    const health = this.#health.get(server);
    if (health && !health.loops) {
      health.loops = true;
      this.options.log.error(`the name server ${server} sends our questions back to the cluster's DNS, and is not asked any more: ${this.options.loopAdvice}`);
    }
    return true;
  }

  #inOrder(servers: readonly NameServer[]): NameServer[] {
    const now = this.options.clock.monotonic();
    const rests = (server: NameServer): boolean => this.#healthOf(server).restsUntil > now;
    const ordered = [...servers.filter((server) => !rests(server)), ...servers.filter(rests)];
    return Array.from({ length: Math.max(mostAttempts, ordered.length) }, (_, i) => ordered[i % ordered.length]!);
  }

  /** The first good answer; else the first that says no; else the last failure. */
  #race(attempts: readonly NameServer[], question: ForwardedQuestion, signal: AbortSignal): Promise<Buffer> {
    const { clock } = this.options;
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const longest = this.isReachable(attempts) ? longestMs : longestWhileAwayMs;
    const begun = clock.monotonic();
    const done = new Set<NameServer>();
    let next = 0, pending = 0, refusal: Buffer | undefined, failure: unknown, over = false;
    const finish = (): void => {
      if (refusal) resolve(refusal);
      else reject(failure);
    };
    const settle = (server: NameServer): void => {
      done.add(server);
      pending--;
      startNext();
      if (pending === 0) finish();
    };
    const startNext = (): void => {
      // One that has said something will not say more; one that said nothing may have lost the question.
      while (next < attempts.length && done.has(attempts[next]!)) next++;
      const server = attempts[next++];
      if (over || server === undefined) return;
      pending++;
      this.#attempt(server, question, signal, Math.max(1, longest - (clock.monotonic() - begun))).then((answer) => {
        if (!isRefusal(answer)) return resolve(answer);
        refusal ??= answer;
        settle(server);
      }, (error: unknown) => {
        failure = error;
        settle(server);
      });
      if (next < attempts.length) clock.sleep(patienceMs, signal).then(startNext, () => undefined);
    };
    startNext();
    return promise.finally(() => { over = true; });
  }

  async #attempt(server: NameServer, question: ForwardedQuestion, signal: AbortSignal, ms: number): Promise<Buffer> {
    const { clock, ask = exchange } = this.options;
    const health = this.#healthOf(server);
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    const timer = clock.sleep(ms, either).then(() => over.abort(new Error(`the name server ${serverName(server)} did not answer in time`)), () => undefined);
    try {
      let answer = await ask(server, queryFor(question, !health.withoutEdns), either);
      if (!health.withoutEdns && (rcodeOf(answer) === rcodes.FORMERR || rcodeOf(answer) === rcodes.NOTIMP)) {
        health.withoutEdns = true;
        answer = await ask(server, queryFor(question, false), either);
      }
      Object.assign(health, { failures: 0, restsUntil: 0 });
      return withoutOpt(answer);
    } catch (error) {
      if (!signal.aborted) this.#failed(server, health);
      throw error;
    } finally {
      over.abort();
      await timer;
    }
  }

  #failed(server: NameServer, health: Health): void {
    const { clock } = this.options;
    health.restsUntil = clock.monotonic() + Math.min(longestRestMs, firstRestMs * 2 ** health.failures);
    health.failures++;
    if (!health.probed) void this.#probe(server, health);
  }

  /** Sends a name that nobody else can ask for: when it comes back to us, so does everything. */
  async #probe(server: NameServer, health: Health): Promise<void> {
    health.probed = true;
    const name = `${randomBytes(12).toString("hex")}.loop-test`;
    const { clock, ask = exchange } = this.options;
    this.#probes.set(name, serverName(server));
    const over = new AbortController();
    const timer = clock.sleep(longestMs, over.signal).then(() => over.abort(new Error("no answer")), () => undefined);
    try {
      await ask(server, writeQuery({ id: randomInt(0x10000), name, type: types.HINFO }), over.signal);
    } catch {
      // An answer isn't what it is for.
    } finally {
      over.abort();
      await timer;
      this.#probes.delete(name);
    }
  }

  #healthOf(server: NameServer): Health {
    const name = serverName(server);
    let health = this.#health.get(name);
    if (!health) this.#health.set(name, health = { failures: 0, restsUntil: 0, withoutEdns: false, loops: false, probed: false });
    return health;
  }
}

const isRefusal = (answer: Buffer): boolean => [rcodes.SERVFAIL, rcodes.REFUSED, rcodes.NOTIMP, rcodes.FORMERR].includes(rcodeOf(answer) as never);

const queryFor = ({ name, type, wantsDnssec, checkingDisabled }: ForwardedQuestion, edns: boolean): Buffer =>
  writeQuery({ id: randomInt(0x10000), name, type, checkingDisabled }, edns ? { udpSize: largestUdpSize, wantsDnssec } : undefined);

/** The answer as ours. Each hop has an OPT record of its own: it is the last one, but for a signature of that hop. */
function withoutOpt(answer: Buffer): Buffer {
  answer.writeUInt16BE(0, 0);
  answer.writeUInt16BE((answer.readUInt16BE(2) | flags.recursionAvailable) & ~flags.authoritative, 2);
  if (answer.readUInt16BE(4) !== 1) return answer;
  let end = headerLength;
  while (answer[end]) end += 1 + answer[end]!;
  let additionals = 0;
  for (const { section, type, at } of records(answer, end + 5)) {
    if (type === types.OPT) {
      answer.writeUInt16BE(additionals, 10);
      return answer.subarray(0, at);
    }
    if (section === "additional") additionals++;
  }
  return answer;
}
