import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import net from "node:net";
import { eventually } from "../../../test/support/eventually.ts";
import { TestEtcd } from "../../../test/support/etcd.ts";
import { systemClock } from "../../base/clock.ts";
import { StorageError, type StorageEvent } from "../storage.ts";
import { findClaim, writeClaim } from "./claim.ts";
import { parseEndpoints } from "./endpoints.ts";
import { EtcdClient } from "./etcd-client.ts";
import { EtcdStorage } from "./etcd-storage.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const pod = (name: string): string => `/registry/core/pods/default/${name}`;
const codeOf = (promise: Promise<unknown>): Promise<string> => promise.then(() => "none", (error: StorageError) => error.code);

/** Every event from now on, until `stop`. */
function collect(storage: EtcdStorage): { events: StorageEvent[]; stop(): Promise<void> } {
  const stopped = new AbortController(), events: StorageEvent[] = [];
  const ended = storage.watch("/registry/", storage.revision, (batch) => { events.push(...batch); }, stopped.signal);
  return { events, stop: () => (stopped.abort(), ended) };
}

/** Each event once, in order. */
function mustBeInOrder(events: readonly StorageEvent[]): void {
  const revisions = events.map(({ revision }) => revision);
  expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b));
}

/** Creates pods until told to stop; knows which were acknowledged, and of which it isn't known. */
function write(storage: EtcdStorage, writers: number): { acknowledged: string[]; unknown: string[]; stop(): Promise<void> } {
  const acknowledged: string[] = [], unknown: string[] = [];
  let stopped = false;
  const one = async (writer: number): Promise<void> => {
    for (let i = 0; !stopped; i++) {
      const name = `w${writer}-${i}`;
      await storage.create(pod(name), bytes(name)).then(() => acknowledged.push(name), (error: StorageError) => {
        expect(["io", "unavailable"]).toContain(error.code);
        if (error.code === "io") unknown.push(name);
      });
    }
  };
  const all = Promise.all(Array.from({ length: writers }, (_, writer) => one(writer)));
  return { acknowledged, unknown, stop: async () => { stopped = true; await all; } };
}

const atLeast = (list: readonly unknown[], count: number): Promise<void> => eventually(() => expect(list.length).toBeGreaterThanOrEqual(count), { timeout: 60_000 });

describe("of three members", () => {
  let etcd: TestEtcd, storage: EtcdStorage;
  beforeEach(async () => {
    etcd = await TestEtcd.start({ members: 3, tls: true });
    storage = await EtcdStorage.open(etcd.clientOptions);
  }, 180_000);
  afterEach(async () => {
    await storage.close();
    await etcd[Symbol.asyncDispose]();
  });

  /** What was acknowledged is there, no watcher missed or saw twice, and what never happened isn't there. */
  async function mustBeWhole(watch: { events: StorageEvent[] }, written: { acknowledged: string[]; unknown: string[] }): Promise<void> {
    const stored = (await storage.list("/registry/core/pods/")).items.map(({ key }) => key.split("/").at(-1)!);
    expect(written.acknowledged.filter((name) => !stored.includes(name))).toEqual([]);
    expect(stored.filter((name) => !written.acknowledged.includes(name) && !written.unknown.includes(name))).toEqual([]);
    mustBeInOrder(watch.events);
    expect(watch.events.map(({ key }) => key.split("/").at(-1)!).sort()).toEqual(stored.sort());
  }

  test.each(["SIGKILL", "SIGSTOP"] as const)("the one that is talked to goes (%s): writing and watching go on with another", async (how) => {
    const watch = collect(storage), written = write(storage, 8);
    await atLeast(written.acknowledged, 100);
    const before = written.acknowledged.length;
    await etcd.signal(0, how);
    await atLeast(written.acknowledged, before + 200);
    await written.stop();
    await mustBeWhole(watch, written);
    expect(written.unknown).toEqual([]);
    await watch.stop();
    await etcd.signal(0, "SIGCONT");
  }, 180_000);

  test("without a majority writes are refused in bounded time; with it back all goes on by itself", async () => {
    const watch = collect(storage), written = write(storage, 4);
    await atLeast(written.acknowledged, 50);
    await Promise.all([etcd.kill(1), etcd.kill(2)]);
    await written.stop();
    const begun = performance.now();
    expect(["unavailable", "io"]).toContain(await codeOf(storage.create(pod("meanwhile"), bytes("x"))));
    expect(performance.now() - begun).toBeLessThan(15_000);
    etcd.startMember(1);
    etcd.startMember(2);
    await etcd.ready(1);
    expect(await eventually(() => storage.create(pod("after"), bytes("x")), { timeout: 60_000, interval: 100 })).toBeGreaterThan(0);
    written.unknown.push("meanwhile");
    written.acknowledged.push("after");
    await mustBeWhole(watch, written);
    await watch.stop();
  }, 180_000);
});

describe("on one member", () => {
  let etcd: TestEtcd, client: EtcdClient;
  beforeAll(async () => { etcd = await TestEtcd.start({ flags: ["--quota-backend-bytes=16777216"] }); }, 180_000);
  afterAll(() => etcd[Symbol.asyncDispose]());
  beforeEach(async () => {
    await etcd.wipe();
    client = new EtcdClient(etcd.clientOptions);
  });
  afterEach(() => client.close());

  test("two servers see each other's writes, and refuse each other's races", async () => {
    const [a, b] = await Promise.all([EtcdStorage.open(etcd.clientOptions), EtcdStorage.open(etcd.clientOptions)]);
    const watch = collect(b);
    const first = await a.create(pod("a"), bytes("1"));
    expect(await b.latest()).toBe(first);
    await eventually(() => expect(watch.events).toMatchObject([{ type: "put", key: pod("a"), revision: first }]));
    const outcomes = await Promise.all([a, b].flatMap((storage) => Array.from({ length: 10 }, (_, i) => codeOf(storage.update(pod("a"), first, bytes(`2-${i}`))))));
    expect(outcomes.filter((code) => code === "none")).toHaveLength(1);
    expect(outcomes.filter((code) => code === "conflict")).toHaveLength(19);
    // Who was refused has been shown why.
    expect(a.revision).toBe(b.revision);
    await a.compact(a.revision);
    expect(await codeOf(b.list("/registry/", { revision: first }))).toBe("compacted");
    expect(b.compactedRevision).toBe(a.compactedRevision);
    await watch.stop();
    await Promise.all([a.close(), b.close()]);
  });

  test("history that another server has just compacted is not told as if what was changed had been made", async () => {
    const [a, b] = await Promise.all([EtcdStorage.open(etcd.clientOptions), EtcdStorage.open(etcd.clientOptions)]);
    const first = await a.create(pod("a"), bytes("1")), second = await a.update(pod("a"), first, bytes("2"));
    await a.update(pod("a"), second, bytes("3"));
    await a.compact(second);
    const seen: StorageEvent[] = [];
    expect(await codeOf(b.watch("/registry/", first, (events) => { seen.push(...events); }, new AbortController().signal))).toBe("compacted");
    expect(seen).toEqual([]);
    expect(b.compactedRevision).toBe(second);
    await Promise.all([a.close(), b.close()]);
  });

  test("a write whose answer got lost has happened once, and is told so", async () => {
    let deaf = false;
    const sockets = new Set<net.Socket>();
    const relay = net.createServer((near) => {
      const far = net.connect(Number(new URL(etcd.urls[0]!).port), "127.0.0.1");
      for (const socket of [near, far]) sockets.add(socket.on("error", () => {}).on("close", () => { near.destroy(); far.destroy(); }));
      near.on("data", (data) => far.write(data));
      far.on("data", (data) => { if (!deaf) near.write(data); });
    });
    await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve));
    const direct = await EtcdStorage.open(etcd.clientOptions);
    const storage = await EtcdStorage.open({ ...etcd.clientOptions, endpoints: parseEndpoints(`http://127.0.0.1:${(relay.address() as net.AddressInfo).port}`) });
    const watch = collect(storage);
    /** Begins a write, and ends the connection before its answer, once etcd has it and `meanwhile` has happened. */
    const losing = async (begin: () => Promise<number>, meanwhile = async (): Promise<void> => {}): Promise<number> => {
      const before = direct.revision;
      deaf = true;
      const writing = begin();
      await eventually(() => expect(direct.revision).toBeGreaterThan(before));
      await meanwhile();
      for (const socket of sockets) socket.destroy();
      sockets.clear();
      deaf = false;
      return writing;
    };
    const made = await losing(() => storage.create(pod("a"), bytes("1")));
    const changed = await losing(() => storage.update(pod("a"), made, bytes("2")), async () => { await direct.update(pod("a"), direct.revision, bytes("3")); });
    const third = changed + 1;
    expect((await direct.get(pod("a")))!.revision).toBe(third);
    const gone = await losing(() => storage.delete(pod("a"), third));
    expect(watch.events.map(({ type, revision }) => [type, revision])).toEqual([["put", made], ["put", changed], ["put", third], ["delete", gone]]);
    expect(await codeOf(storage.delete(pod("a"), third))).toBe("notFound");
    await watch.stop();
    await Promise.all([storage.close(), direct.close()]);
    for (const socket of sockets) socket.destroy();
    relay.close();
  }, 180_000);

  test("revisions go on where the cluster was before it moved here", async () => {
    const offset = 5_000_000;
    await writeClaim(client, { version: 1, revisionOffset: offset }, await findClaim(client));
    const storage = await EtcdStorage.open(etcd.clientOptions);
    expect(storage.revision).toBeGreaterThan(offset);
    const watch = collect(storage);
    const a = await storage.create(pod("a"), bytes("1")), a2 = await storage.update(pod("a"), a, bytes("2"));
    expect(a).toBeGreaterThan(offset);
    expect((await storage.list("/registry/", { revision: a })).items.map(({ revision }) => revision)).toEqual([a]);
    expect((await storage.get(pod("a")))!.revision).toBe(a2);
    expect(await codeOf(storage.delete(pod("a"), a))).toBe("conflict");
    expect(await codeOf(storage.delete(pod("a"), a2))).toBe("none");
    expect(watch.events.map(({ revision, previousRevision }) => [revision, previousRevision])).toEqual([[a, undefined], [a2, a], [storage.revision, a2]]);
    await storage.compact(a2);
    expect(await codeOf(storage.list("/registry/", { revision: a }))).toBe("compacted");
    expect(await codeOf(storage.list("/registry/", { revision: a2 }))).toBe("none");
    await watch.stop();
    await storage.close();
    const again = await EtcdStorage.open(etcd.clientOptions);
    expect(again.compactedRevision).toBe(a2);
    await again.close();
  });

  test("keys beside the objects are none of ours, and only move the revision on", async () => {
    const storage = await EtcdStorage.open(etcd.clientOptions);
    const told: [number, number][] = [], stop = new AbortController();
    const ended = storage.watch("/registry/", storage.revision, (events, revision) => { told.push([events.length, revision]); }, stop.signal);
    await client.call("Txn", { success: [{ requestPut: { key: bytes("/other/key"), value: bytes("x") } }] }, { repeatable: true });
    const latest = await storage.latest();
    await eventually(() => expect(told).toEqual([[0, latest]]));
    stop.abort();
    await ended;
    await storage.close();
  });

  test("an object larger than etcd takes is refused, and has not been written", async () => {
    const storage = await EtcdStorage.open(etcd.clientOptions);
    expect(await codeOf(storage.create(pod("large"), new Uint8Array(1_600_000)))).toBe("tooLarge");
    expect(await codeOf(storage.create(pod("huge"), new Uint8Array(5_000_000)))).toBe("tooLarge");
    expect(await codeOf(storage.create(pod("largest"), new Uint8Array(1_500_000)))).toBe("none");
    expect((await storage.list("/registry/")).items).toHaveLength(1);
    await storage.close();
  });

  test("a full database refuses writes with what to do, takes deletions, and serves again after that", async () => {
    const storage = await EtcdStorage.open(etcd.clientOptions);
    let refused: StorageError | undefined, revision = 0, count = 0;
    while (!refused && count < 200) await storage.create(pod(`big-${count}`), new Uint8Array(500_000)).then((at) => { revision = at; count++; }, (error: StorageError) => { refused = error; });
    expect(refused).toMatchObject({ code: "full", message: expect.stringContaining("etcdctl alarm disarm") });
    expect((await storage.status()).alarms).toEqual(["NOSPACE"]);
    expect(await codeOf(storage.delete(pod(`big-${count - 1}`), revision))).toBe("none");
    await storage.close();
  });
});

describe("what is not taken into use", () => {
  let etcd: TestEtcd, other: TestEtcd, plain: TestEtcd;
  beforeAll(async () => { [etcd, other, plain] = await Promise.all([TestEtcd.start({ tls: true }), TestEtcd.start({ tls: true }), TestEtcd.start()]); }, 180_000);
  afterAll(() => Promise.all([etcd, other, plain].map((each) => each[Symbol.asyncDispose]())));
  const open = (subject: TestEtcd, change: object): Promise<string> =>
    EtcdStorage.open({ ...subject.clientOptions, ...change }).then((storage) => storage.close().then(() => "opened"), (error: StorageError) => error.message);
  const endpoint = (url: string, change: object) => ({ endpoints: [{ url, host: new URL(url).hostname, port: Number(new URL(url).port), tls: url.startsWith("https"), ...change }] });

  test("an etcd whose certificate is another authority's", async () => {
    expect(await open(etcd, { tls: { ...etcd.tls, ca: other.tls!.ca } })).toContain("is not signed by the authority in --datastore-cafile");
  });

  test("one that doesn't know our certificate, or wants one", async () => {
    const { cert, key } = other.tls!;
    for (const tls of [{ ca: etcd.tls!.ca }, { ca: etcd.tls!.ca, cert, key }]) expect(await open(etcd, { tls })).toContain("refuses our certificate: --datastore-certfile and --datastore-keyfile must be a client's");
  });

  test("certificates are asked for at each connection: one that was renewed does", async () => {
    let current = other.tls!;
    const client = new EtcdClient({ ...etcd.clientOptions, tls: () => current });
    const ask = () => client.call("Range", { key: bytes("a") }, { repeatable: true, patienceMs: 0 }).then(() => "answered", (error: StorageError) => error.code);
    expect(await ask()).toBe("unavailable");
    current = etcd.tls!;
    expect(await ask()).toBe("answered");
    client.close();
  });

  test("one that hangs is waited for, as one that isn't there yet", async () => {
    await plain.signal(0, "SIGSTOP");
    // Longer than one question is worth.
    const over = Bun.sleep(3500).then(() => plain.signal(0, "SIGCONT"));
    expect(await open(plain, { beforeNew: () => { throw new Error("it has answered"); } })).toBe("it has answered");
    await over;
  }, 180_000);

  test("one under a name that its certificate hasn't", async () => {
    await using elsewhere = await TestEtcd.start({ tls: true, names: ["10.0.0.5", "etcd.example"] });
    expect(await open(elsewhere, {})).toContain("is not for 127.0.0.1: use a name or address that is in it");
  }, 180_000);

  test("one without TLS by https, and one with it by http", async () => {
    expect(await open(plain, { ...endpoint(plain.urls[0]!.replace("http:", "https:"), {}), tls: {} })).toContain("doesn't speak TLS");
    expect(await open(etcd, endpoint(etcd.urls[0]!.replace("https:", "http:"), {}))).toContain("write https://");
  });

  test("a name that nobody knows, and a port that nobody listens on", async () => {
    expect(await open(etcd, endpoint("https://etcd.invalid:2379", {}))).toContain("the name etcd.invalid is not known");
    const clock = { ...systemClock, sleep: () => Promise.resolve(), monotonic: (() => { let now = 0; return () => (now += 4000); })() };
    expect(await open(plain, { ...endpoint("http://127.0.0.1:1", {}), clock })).toContain("nothing listens at http://127.0.0.1:1: is etcd running there?");
  });

  test("members of different clusters", async () => {
    await using second = await TestEtcd.start();
    expect(await open(plain, { endpoints: [...plain.clientOptions.endpoints, ...second.clientOptions.endpoints] })).toContain("belong to different etcd clusters");
  }, 180_000);

  test("what holds other things, is half moved, or is a newer Skiff's; nothing is changed", async () => {
    const client = new EtcdClient(plain.clientOptions);
    const put = (key: string, value: string) => client.call("Txn", { success: [{ requestPut: { key: bytes(key), value: bytes(value) } }] }, { repeatable: true });
    const { header } = await put("/registry/pods/default/theirs", "k8s");
    expect(await open(plain, {})).toContain("holds 1 keys under /registry/ that Skiff has not written");
    expect((await findClaim(client)).revision).toBe(header!.revision!);
    await put("/skiff/datastore", JSON.stringify({ version: 2 }));
    expect(await open(plain, {})).toContain("doesn't understand: update Skiff");
    await put("/skiff/datastore", JSON.stringify({ version: 1, revisionOffset: 0, moving: true }));
    expect(await open(plain, {})).toContain("a cluster is being moved to this etcd");
    client.close();
  });
});
