import { describe, expect, test } from "bun:test";
import { FakeClock, settle } from "../../test/support/fake-clock.ts";
import { keyOf, type Frozen } from "../apimachinery/meta.ts";
import { expired, serviceUnavailable, timeout } from "../apimachinery/status.ts";
import { configmaps } from "../apis/builtins.ts";
import type { ConfigMap } from "../apis/generated/core/v1.ts";
import type { Client, ListOptions, ObjectList, WatchEvent, WatchOptions } from "./client.ts";
import type { KeptCollection, ObjectKeeper } from "./object-keeper.ts";
import { createReflectingInformers, patienceMs, type ReflectingInformersOptions } from "./reflecting-informers.ts";

const object = (name: string, resourceVersion: string, uid = name): Frozen<ConfigMap> => ({ metadata: { name, namespace: "d", uid, resourceVersion } });

/** A server whose answers the test gives, one watch at a time. */
class Server {
  lists: (() => ObjectList<ConfigMap>)[] = [];
  readonly listed: ListOptions[] = [];
  readonly watched: WatchOptions[] = [];
  #end: (error?: Error) => void = () => {};
  #send: (event: WatchEvent<ConfigMap>) => void = () => {};

  readonly client = {
    list: async (_card: unknown, options: ListOptions) => {
      this.listed.push(options);
      const next = this.lists.shift();
      if (!next) throw serviceUnavailable("down");
      return next();
    },
    watch: (_card: unknown, options: WatchOptions, signal: AbortSignal) => this.#watch(options, signal),
  } as unknown as Client;

  async *#watch(options: WatchOptions, signal: AbortSignal): AsyncGenerator<WatchEvent<ConfigMap>> {
    this.watched.push(options);
    const stream = new ReadableStream<WatchEvent<ConfigMap>>({ start: (controller) => {
      const stop = (): void => this.#end();
      this.#send = (event) => controller.enqueue(event);
      this.#end = (error) => {
        signal.removeEventListener("abort", stop);
        if (error) controller.error(error);
        else controller.close();
      };
      signal.addEventListener("abort", stop, { once: true });
    } });
    yield* stream;
  }

  async send(type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK", it: Frozen<ConfigMap>): Promise<void> {
    this.#send({ type, object: it });
    await settle();
  }

  async end(error?: Error): Promise<void> {
    this.#end(error);
    await settle();
  }
}

/** Holds what a process that went before has kept. */
class Keeper implements ObjectKeeper {
  objects = new Map<string, Frozen<ConfigMap>>();
  constructor(public resourceVersion?: string, ...objects: Frozen<ConfigMap>[]) {
    for (const each of objects) this.objects.set(keyOf(each), each);
  }

  collection(): KeptCollection<any> {
    return {
      load: () => (this.resourceVersion === undefined ? undefined : { resourceVersion: this.resourceVersion, objects: [...this.objects.values()] }),
      set: (object) => void this.objects.set(keyOf(object), object),
      delete: (key) => void this.objects.delete(key),
      reached: (resourceVersion) => void (this.resourceVersion = resourceVersion),
      forget: () => {},
    };
  }
}

const start = (server: Server, ...lists: [version: string, objects: Frozen<ConfigMap>[]][]) => startWith({}, server, ...lists);

async function startWith(more: Partial<ReflectingInformersOptions>, server: Server, ...lists: [version: string, objects: Frozen<ConfigMap>[]][]) {
  const clock = new FakeClock();
  const stop = new AbortController();
  server.lists = lists.map(([resourceVersion, items]) => () => ({ items, metadata: { resourceVersion } }));
  const factory = createReflectingInformers({ client: server.client, clock, ...more }, stop.signal);
  const informer = factory.informer(configmaps);
  const changes: string[] = [];
  informer.onChange((old, current) => changes.push(`${old ? old.metadata.resourceVersion : "-"}>${current ? current.metadata.resourceVersion : "-"}`));
  await settle();
  return { clock, factory, informer, changes, stop: async () => {
    stop.abort();
    await factory.stopped();
  } };
}

describe("informers over a client", () => {
  test("list, then watch from there", async () => {
    const server = new Server();
    const { informer, changes, factory, stop } = await start(server, ["10", [object("a", "3"), object("b", "9")]]);
    await informer.synced();
    expect(server.watched[0]).toMatchObject({ resourceVersion: "10", allowWatchBookmarks: true });
    await server.send("MODIFIED", object("a", "11"));
    await server.send("ADDED", object("c", "12"));
    await server.send("DELETED", object("b", "13"));
    expect(changes).toEqual(["->3", "->9", "3>11", "->12", "13>-"]);
    expect(informer.lister.list().map((o) => o.metadata.name!)).toEqual(["a", "c"]);
    expect(informer.lister.get("d/a")?.metadata.resourceVersion).toBe("11");
    expect(factory.informer(configmaps)).toBe(informer);
    await stop();
  });

  test("a watch that ends goes on from the last version, bookmarks too", async () => {
    const server = new Server();
    const { informer, changes, stop } = await start(server, ["10", [object("a", "3")]]);
    await server.send("BOOKMARK", { metadata: { resourceVersion: "50" } });
    await server.end();
    expect(server.watched.map((w) => w.resourceVersion!)).toEqual(["10", "50"]);
    expect([informer.lister.resourceVersion, changes.length, server.listed.length]).toEqual(["50", 1, 1]);
    await stop();
  });

  test("410: list again, and tell only what differs", async () => {
    const server = new Server();
    const { changes, stop } = await start(server, ["10", [object("a", "3"), object("b", "4"), object("c", "5", "old")]], ["90", [object("a", "3"), object("c", "80", "new"), object("d", "81")]]);
    changes.length = 0;
    await server.end(expired("too old resource version"));
    expect(changes).toEqual(["4>-", "5>-", "->80", "->81"]);
    expect(server.watched.at(-1)?.resourceVersion).toBe("90");
    await stop();
  });

  test("a server that is down is asked less and less often", async () => {
    const server = new Server();
    const { clock, informer, stop } = await start(server);
    let synced = false;
    void informer.synced().then(() => { synced = true; });
    await clock.advance(60_000);
    expect(server.listed.length).toBeGreaterThan(3);
    expect(server.listed.length).toBeLessThan(9);
    expect(synced).toBe(false);
    server.lists = [() => ({ items: [], metadata: { resourceVersion: "1" } })];
    await clock.advance(60_000);
    expect(synced).toBe(true);
    await stop();
  });

  test("a server that was away is asked again as soon as anybody hears of it", async () => {
    const server = new Server(), handlers = new Set<() => void>();
    const contact = { onBack: (handler: () => void) => (handlers.add(handler), () => handlers.delete(handler)) };
    const { clock, informer, stop } = await startWith({ contact }, server);
    await clock.advance(600_000);
    const asked = server.listed.length;
    server.lists = [() => ({ items: [], metadata: { resourceVersion: "1" } })];
    for (const handler of handlers) handler();
    await informer.synced();
    await settle();
    expect([server.listed.length, handlers.size]).toEqual([asked + 1, 0]);
    await stop();
  });

  test("a watch that tells nothing and ends at once is not hammered", async () => {
    const server = new Server();
    const { clock, stop } = await start(server, ["10", []]);
    await server.end();
    expect(server.watched.length).toBe(1);
    await clock.advance(2000);
    expect(server.watched.length).toBe(2);
    await stop();
  });

  test("a server that is lost again and again, and works between, is back as soon each time", async () => {
    const server = new Server();
    const { clock, stop } = await start(server, ["10", []]);
    for (let round = 1; round <= 8; round++) {
      if (round % 2) await clock.advance(15_000);
      else await server.send("MODIFIED", object("a", String(10 + round)));
      await server.end(serviceUnavailable("connection lost"));
      expect(server.watched.length).toBe(round);
      await clock.advance(1600);
      expect(server.watched.length).toBe(round + 1);
    }
    await stop();
  });

  test("long lists come in pages", async () => {
    const server = new Server();
    const { clock, informer, stop } = await start(server);
    server.lists = [() => ({ items: [object("a", "1")], metadata: { resourceVersion: "7", continue: "more" } }), () => ({ items: [object("b", "2")], metadata: { resourceVersion: "7" } })];
    await clock.advance(5000);
    expect(informer.lister.list().length).toBe(2);
    expect(server.listed.at(-1)?.continue).toBe("more");
    await stop();
  });

  test("controlledBy follows the controller", async () => {
    const server = new Server();
    const owned = (name: string, version: string, uid?: string): Frozen<ConfigMap> => ({ metadata: { ...object(name, version).metadata, ...(uid ? { ownerReferences: [{ apiVersion: "v1", kind: "X", name: "x", uid, controller: true }] } : {}) } });
    const { informer, stop } = await start(server, ["10", [owned("a", "1", "x"), owned("b", "2", "x"), owned("c", "3")]]);
    const names = (uid: string): string[] => informer.lister.controlledBy(uid).map((o) => o.metadata.name!);
    expect(names("x")).toEqual(["a", "b"]);
    await server.send("MODIFIED", owned("a", "11", "y"));
    await server.send("DELETED", owned("b", "12", "x"));
    expect([names("x"), names("y")]).toEqual([[], ["a"]]);
    await stop();
  });
});

describe("informers that were there before", () => {
  test("begin with what they knew, and watch on from there", async () => {
    const server = new Server();
    const keeper = new Keeper("10", object("a", "3"), object("b", "9"));
    const { informer, changes, stop } = await startWith({ keeper }, server);
    await informer.synced();
    expect([changes, server.listed.length, server.watched.map(({ resourceVersion }) => resourceVersion)]).toEqual([["->3", "->9"], 0, ["10"]]);
    await server.send("DELETED", object("b", "12"));
    await server.send("ADDED", object("c", "13"));
    await stop();
    expect([[...keeper.objects.keys()], keeper.resourceVersion]).toEqual([["d/a", "d/c"], "13"]);
  });

  test.each([["has forgotten", expired("too old resource version")], ["never knew", tooLarge()]])("list when that is a version the server %s", async (_, error) => {
    const server = new Server();
    const { informer, changes, stop } = await startWith({ keeper: new Keeper("10", object("a", "3"), object("b", "9")) }, server, ["7", [object("a", "3"), object("c", "6")]]);
    await server.end(error);
    expect(changes).toEqual(["->3", "->9", "9>-", "->6"]);
    expect(informer.lister.resourceVersion).toBe("7");
    await stop();
  });

  test("ask first where that matters: what was known counts when the server says nothing for a while", async () => {
    const server = new Server();
    const { clock, informer, changes, stop } = await startWith({ keeper: new Keeper("10", object("a", "3"), object("b", "9")), askFirst: [configmaps] }, server);
    let synced = false;
    void informer.synced().then(() => { synced = true; });
    await clock.advance(patienceMs - 1);
    expect(synced).toBe(false);
    await clock.advance(1);
    expect(synced).toBe(true);
    expect(changes).toEqual(["->3", "->9"]);
    // Days later.
    server.lists = [() => ({ items: [object("a", "3")], metadata: { resourceVersion: "900" } })];
    await clock.advance(60_000);
    expect(changes).toEqual(["->3", "->9", "9>-"]);
    await stop();
  });

  test("ask first, and go on as soon as the server has answered", async () => {
    const server = new Server();
    const { informer, changes, stop } = await startWith({ keeper: new Keeper("10", object("a", "3"), object("b", "9")), askFirst: [configmaps] }, server, ["20", [object("b", "9")]]);
    await informer.synced();
    expect([changes, informer.lister.list().length]).toEqual([["->3", "->9", "3>-"], 1]);
    await stop();
  });
});

function tooLarge(): Error {
  const error = timeout("Timeout: Too large resource version: 10, current: 7", 1);
  error.status.details = { ...error.status.details, causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }] };
  return error;
}
