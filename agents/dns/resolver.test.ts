import { describe, expect, test } from "bun:test";
import type { Packet } from "dns-packet";
import fc from "fast-check";
import { logger } from "../../src/base/log.ts";
import { FakeClock, settle } from "../../test/support/fake-clock.ts";
import { AnswerCache } from "./answer-cache.ts";
import { defaultConfiguration, parseConfiguration } from "./configuration.ts";
import type { NameServer } from "./exchange.ts";
import { Forwarder } from "./forwarder.ts";
import { Resolver } from "./resolver.ts";
import { answerOf, queryOf, read, type Reply } from "./testing/wire.ts";
import type { ZoneAnswer } from "./zone-answers.ts";

const first = { address: "192.0.2.1", port: 53 }, second = { address: "192.0.2.2", port: 53 };
type Reaction = Partial<Packet> & { rcode?: number } | "silence" | "unreachable";

/** A resolver whose name servers do as the test says; `asked` tells whom it asked for what. */
function subject({ servers = [first], zone = () => undefined }: { servers?: NameServer[]; zone?: (name: string) => ZoneAnswer | undefined } = {}) {
  const clock = new FakeClock();
  const asked: string[] = [];
  const reactions = new Map<string, (query: Reply) => Reaction>();
  const forwarder = new Forwarder({
    clock, log: logger("test"), loopAdvice: "",
    async ask(server, query, signal) {
      const packet = read(query);
      asked.push(`${server.address} ${packet.questions![0]!.name}`);
      const reaction = reactions.get(server.address)?.(packet) ?? "silence";
      if (reaction === "unreachable") throw new Error("ENETUNREACH");
      if (reaction === "silence") return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      return answerOf(query, reaction, reaction.rcode);
    },
  });
  const cache = new AnswerCache(() => clock.monotonic());
  const resolver = new Resolver({ zone: { find: zone }, forwarder, servers: { serversFor: () => servers }, cache, clock });
  return {
    clock, asked, cache, resolver, forwarder,
    does: (server: NameServer, reaction: Reaction | ((query: Reply) => Reaction)) => reactions.set(server.address, typeof reaction === "function" ? reaction : () => reaction),
    ask: async (name: string, type = "A", options?: { udpSize?: number }) => read((await resolver.answer(queryOf(name, type, options), false))!),
  };
}
const address = (data: string, ttl = 60, name = "example.org"): Partial<Packet> => ({ answers: [{ type: "A", name, ttl, data }] });
const denial = (minimum: number): Partial<Packet> => ({ authorities: [{ type: "SOA", name: "org", ttl: 900, data: { mname: "a", rname: "b", serial: 1, refresh: 1, retry: 1, expire: 1, minimum } }] });
const dataOf = (packet: Reply) => packet.answers!.map((answer) => ("data" in answer ? answer.data : undefined));

describe("caching", () => {
  test("an answer is given again with what is left of its time, then asked for anew; the letters are the client's", async () => {
    const { ask, asked, does, clock } = subject();
    does(first, address("198.51.100.1"));
    expect(await ask("example.org")).toMatchObject({ id: 77, flag_rd: true, flag_ra: true, flag_aa: false, answers: [{ data: "198.51.100.1", ttl: 60 }] });
    await clock.advance(25_000);
    clock.jump(-3600_000);
    expect(await ask("EXAMPLE.org")).toMatchObject({ questions: [{ name: "EXAMPLE.org" }], answers: [{ ttl: 35 }] });
    expect(asked).toHaveLength(1);
    await clock.advance(36_000);
    expect((await ask("example.org")).answers).toMatchObject([{ ttl: 60 }]);
    expect(asked).toHaveLength(2);
  });

  test("denials live as long as their SOA says, errors not at all", async () => {
    const { ask, asked, does, clock } = subject();
    does(first, { rcode: 3, ...denial(20) });
    expect((await ask("nope.example")).rcode).toBe("NXDOMAIN");
    await clock.advance(19_000);
    expect(await ask("nope.example")).toMatchObject({ rcode: "NXDOMAIN", authorities: [{ ttl: 1 }] });
    expect(asked).toHaveLength(1);
    await clock.advance(2000);
    await ask("nope.example");
    expect(asked).toHaveLength(2);
    does(first, { rcode: 2 });
    expect((await ask("broken.example")).rcode).toBe("SERVFAIL");
    await ask("broken.example");
    expect(asked.filter((one) => one.includes("broken"))).toHaveLength(2);
  });

  test("what is asked for often is fetched again before it ends", async () => {
    const { ask, asked, does, clock } = subject();
    does(first, address("198.51.100.1", 100));
    for (let i = 0; i < 5; i++) await ask("example.org");
    await clock.advance(95_000);
    does(first, address("198.51.100.2", 100));
    expect(dataOf(await ask("example.org"))).toEqual(["198.51.100.1"]);
    await settle();
    expect(dataOf(await ask("example.org"))).toEqual(["198.51.100.2"]);
    expect(asked).toHaveLength(2);
  });

  test("without name servers an old answer is better than none, and comes at once as soon as they are known to be away", async () => {
    const { ask, does, clock, asked } = subject();
    does(first, address("198.51.100.1"));
    await ask("example.org");
    await clock.advance(3600_000);
    does(first, "silence");
    const waiting = ask("example.org");
    await clock.advance(1800);
    expect((await waiting).answers).toMatchObject([{ data: "198.51.100.1", ttl: 30 }]);
    await clock.advance(10_000);
    const before = asked.length;
    expect(dataOf(await ask("example.org"))).toEqual(["198.51.100.1"]);
    expect(asked.length).toBeGreaterThan(before);
    await clock.advance(10_000);
    does(first, address("198.51.100.9"));
    await ask("example.org");
    await settle();
    expect(dataOf(await ask("example.org"))).toEqual(["198.51.100.9"]);
    await clock.advance(25 * 3600_000);
    does(first, "unreachable");
    expect((await ask("example.org")).rcode).toBe("SERVFAIL");
  });

  test("is bounded", async () => {
    const cache = new AnswerCache(() => 0, { entries: 10, bytes: 500 });
    const put = (name: string): void => {
      const query = queryOf(name);
      cache.put(`1 ${name}`, answerOf(query, address("198.51.100.1", 60, name)), query.length);
    };
    for (let i = 0; i < 100; i++) put(`host-${i}.example`);
    expect(cache.size.entries).toBeWithin(5, 11);
    expect(cache.size.bytes).toBeLessThanOrEqual(500);
    expect(cache.get("1 host-99.example")).toBeDefined();
    expect(cache.get("1 host-1.example")).toBeUndefined();
  });
});

describe("name servers", () => {
  test("a silent one is overtaken by the next, and asked last for a while", async () => {
    const { ask, asked, does, clock } = subject({ servers: [first, second] });
    does(first, "silence");
    does(second, address("198.51.100.2"));
    const waiting = ask("one.example");
    await clock.advance(700);
    expect(dataOf(await waiting)).toEqual(["198.51.100.2"]);
    expect(asked).toEqual(["192.0.2.1 one.example", "192.0.2.2 one.example"]);
  });

  test("one that fails is asked last until it has rested", async () => {
    const { ask, asked, does, clock } = subject({ servers: [first, second] });
    does(first, "unreachable");
    does(second, address("198.51.100.2"));
    await ask("one.example");
    await settle();
    asked.length = 0;
    await ask("two.example");
    expect(asked).toEqual(["192.0.2.2 two.example"]);
    await clock.advance(1000);
    does(first, address("198.51.100.1"));
    expect(dataOf(await ask("three.example"))).toEqual(["198.51.100.1"]);
  });

  test("one that refuses doesn't speak for the others; when all do, the client hears it", async () => {
    const { ask, does } = subject({ servers: [first, second] });
    does(first, { rcode: 5 });
    does(second, address("198.51.100.2"));
    expect(dataOf(await ask("one.example"))).toEqual(["198.51.100.2"]);
    does(second, { rcode: 2 });
    expect((await ask("two.example")).rcode).toBe("REFUSED");
  });

  test("a lost question is sent again; nobody waits longer than four seconds", async () => {
    const { ask, asked, does, clock } = subject();
    let lost = true;
    does(first, () => {
      if (!lost) return address("198.51.100.1");
      lost = false;
      return "silence";
    });
    const waiting = ask("one.example");
    await clock.advance(700);
    expect(dataOf(await waiting)).toEqual(["198.51.100.1"]);
    does(first, "silence");
    const hopeless = ask("two.example");
    await clock.advance(4000);
    expect((await hopeless).rcode).toBe("SERVFAIL");
    expect(asked.filter((one) => one.includes("two"))).toHaveLength(4);
  });

  test("one that doesn't know EDNS is asked without", async () => {
    const { ask, asked, does } = subject();
    does(first, ({ additionals }) => (additionals!.length ? { rcode: 1 } : address("198.51.100.1")));
    expect(dataOf(await ask("one.example"))).toEqual(["198.51.100.1"]);
    await ask("two.example");
    expect(asked).toHaveLength(3);
  });

  test("the same question is asked once, for all who wait; there is an end to how many wait", async () => {
    const { ask, asked, does, clock } = subject();
    does(first, "silence");
    const many = Array.from({ length: 50 }, () => ask("one.example"));
    const storm = Array.from({ length: 1000 }, (_, i) => ask(`host-${i}.example`));
    await settle();
    expect(asked.filter((one) => one.endsWith("one.example"))).toHaveLength(1);
    expect(asked.length).toBeLessThanOrEqual(256);
    await clock.advance(5000);
    expect(new Set((await Promise.all([...many, ...storm])).map(({ rcode }) => rcode))).toEqual(new Set(["SERVFAIL"]));
    await settle();
  });

  test("one that sends questions back to us is found out", async () => {
    const { ask, does, asked, clock, resolver } = subject();
    does(first, ({ questions }) => {
      // The name server forwards to us.
      void resolver.answer(queryOf(questions![0]!.name, questions![0]!.type), false);
      return "silence";
    });
    const waiting = ask("one.example");
    await clock.advance(4000);
    expect((await waiting).rcode).toBe("SERVFAIL");
    await clock.advance(4000);
    asked.length = 0;
    expect((await ask("two.example")).rcode).toBe("SERVFAIL");
    expect(asked).toEqual([]);
  });

  test("none at all", async () => expect((await subject({ servers: [] }).ask("one.example")).rcode).toBe("SERVFAIL"));
});

describe("other names", () => {
  test("an ExternalName leads to its addresses in one answer, over several steps, and in circles not for ever", async () => {
    const { ask, does } = subject({ zone: (name) => (name === "out.svc" ? { alias: "other.svc" } : name === "other.svc" ? { alias: "example.org" } : name === "circle.svc" ? { alias: "circle.svc" } : undefined) });
    does(first, { answers: [{ type: "CNAME", name: "example.org", ttl: 60, data: "www.example.org" }, { type: "A", name: "www.example.org", ttl: 60, data: "198.51.100.1" }] });
    const names = (await ask("out.svc")).answers!.map(({ name, type }) => `${type} ${name}`);
    expect(names).toEqual(["CNAME out.svc", "CNAME other.svc", "CNAME example.org", "A www.example.org"]);
    expect(dataOf(await ask("out.svc"))).toEqual(["other.svc", "example.org", "www.example.org", "198.51.100.1"]);
    expect((await ask("circle.svc")).answers).toHaveLength(8);
    does(first, { rcode: 3, ...denial(5) });
    const { ask: askMissing, does: doesMissing } = subject({ zone: (name) => (name === "out.svc" ? { alias: "nope.example" } : undefined) });
    doesMissing(first, { rcode: 3, ...denial(5) });
    expect(await askMissing("out.svc")).toMatchObject({ rcode: "NXDOMAIN", answers: [{ type: "CNAME" }] });
  });

  test("hosts of the configuration, forward and back", async () => {
    const { ask, resolver } = subject({ servers: [] });
    resolver.configuration = parseConfiguration({ hosts: "10.1.0.7 plc-7 PLC-7.factory.example # the press\n\nfd00::7 plc-7\n" });
    expect(dataOf(await ask("plc-7"))).toEqual(["10.1.0.7"]);
    expect(dataOf(await ask("plc-7", "AAAA"))).toEqual(["fd00::7"]);
    expect(await ask("plc-7", "MX")).toMatchObject({ rcode: "NOERROR", answers: [] });
    expect(dataOf(await ask("plc-7.factory.example"))).toEqual(["10.1.0.7"]);
    expect(dataOf(await ask("7.0.1.10.in-addr.arpa", "PTR"))).toEqual(["plc-7"]);
    resolver.configuration = defaultConfiguration;
    expect((await ask("plc-7")).rcode).toBe("SERVFAIL");
  });
});

describe("messages", () => {
  const long = { answers: Array.from({ length: 100 }, (_, i) => ({ type: "A" as const, name: "many.example", ttl: 60, data: `198.51.100.${i}` })) };
  test("a long answer is cut over UDP by what the client can take, with whole records; over TCP it is whole", async () => {
    const { ask, does, resolver } = subject();
    does(first, long);
    const cut = await ask("many.example");
    expect(cut.flag_tc).toBe(true);
    expect(cut.answers!.length).toBeWithin(5, 30);
    const larger = await ask("many.example", "A", { udpSize: 1232 });
    expect(larger).toMatchObject({ flag_tc: true, additionals: [{ type: "OPT" }] });
    expect(larger.answers!.length).toBeGreaterThan(cut.answers!.length);
    expect(read((await resolver.answer(queryOf("many.example"), true))!).answers).toHaveLength(100);
  });

  test("EDNS is answered with EDNS, of version 0; without it is answered without", async () => {
    const { ask, does, resolver } = subject();
    does(first, address("198.51.100.1"));
    expect((await ask("example.org", "A", { udpSize: 4096 })).additionals).toMatchObject([{ type: "OPT", udpPayloadSize: 1232 }]);
    expect((await ask("example.org")).additionals).toEqual([]);
    const next = queryOf("example.org", "A", { udpSize: 4096 });
    next[next.length - optVersionFromEnd] = 1;
    expect(read((await resolver.answer(next, false))!)).toMatchObject({ answers: [], additionals: [{ type: "OPT", extendedRcode: 1 }] });
  });

  test("what is no query is not answered, or with its error", async () => {
    const { resolver } = subject();
    const rcodeOf = async (bytes: Buffer): Promise<string | undefined> => {
      const reply = await resolver.answer(bytes, false);
      return reply && read(reply).rcode;
    };
    const response = queryOf("example.org");
    response[2] = 0x81;
    expect(await rcodeOf(response)).toBeUndefined();
    expect(await rcodeOf(Buffer.from([1, 2, 3]))).toBeUndefined();
    const update = queryOf("example.org");
    update[2] = 5 << 3;
    expect(await rcodeOf(update)).toBe("NOTIMP");
    expect(await rcodeOf(queryOf("example.org", "AXFR"))).toBe("REFUSED");
    expect(await rcodeOf(queryOf("example.org").subarray(0, 20))).toBe("FORMERR");
    expect(await rcodeOf(queryOf("a-b.example").map((byte) => (byte === 0x2d ? 0x2e : byte)) as Buffer)).toBe("FORMERR");
  });

  const damage = fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 4 });
  const damaged = (bytes: Buffer, changes: readonly (readonly [number, number])[], length: number): Buffer => {
    const copy = Buffer.from(bytes.subarray(0, length));
    for (const [at, value] of changes) if (at < copy.length) copy[at] = value;
    return copy;
  };
  test("damaged queries and answers harm nobody", async () => {
    const { resolver, does, ask } = subject({ zone: (name) => (name === "out.svc" ? { alias: "example.org" } : undefined) });
    const whole = { answers: [{ type: "CNAME" as const, name: "example.org", ttl: 9, data: "a.example.org" }, { type: "AAAA" as const, name: "a.example.org", ttl: 9, data: "fd00::1" }], ...denial(9) };
    does(first, whole);
    await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 80 }), damage, fc.nat(60), async (random, changes, length) => {
      await resolver.answer(Buffer.from(random), false);
      await resolver.answer(damaged(queryOf("example.org", "A", { udpSize: 1232 }), changes, length), false);
    }), { numRuns: 500 });
    const clock = new FakeClock();
    await fc.assert(fc.asyncProperty(damage, fc.nat(200), fc.boolean(), async (changes, length, throughAlias) => {
      const forwarder = new Forwarder({ clock, log: logger("test"), loopAdvice: "", ask: async (_, query) => damaged(answerOf(query, whole), changes, Math.max(12, length)) });
      const damagedResolver = new Resolver({ zone: { find: (name) => (name === "out.svc" ? { alias: "example.org" } : undefined) }, forwarder, servers: { serversFor: () => [first] }, cache: new AnswerCache(() => 0), clock });
      for (const tcp of [false, true]) expect((await damagedResolver.answer(queryOf(throughAlias ? "out.svc" : "example.org", "AAAA"), tcp))!.readUInt16BE(0)).toBe(77);
    }), { numRuns: 500 });
    expect((await ask("example.org")).rcode).toBe("NOERROR");
  });
});

/** The version is the sixth byte of an OPT record's eleven. */
const optVersionFromEnd = 5;
