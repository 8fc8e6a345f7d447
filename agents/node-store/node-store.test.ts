import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Frozen } from "../../src/apimachinery/meta.ts";
import { configmaps } from "../../src/apis/core/configmap.ts";
import { nodes } from "../../src/apis/core/node.ts";
import { pods } from "../../src/apis/core/pod/pod.ts";
import { secrets } from "../../src/apis/core/secret.ts";
import type { ConfigMap, Node, Pod, Secret } from "../../src/apis/generated/core/v1.ts";
import { ObjectStore } from "../../src/client/object-store.ts";
import type { Logger } from "../../src/base/log.ts";
import { unmountBelow } from "../../test/support/containerd.ts";
import { FakeClock, settle } from "../../test/support/fake-clock.ts";
import { NodeStore } from "./node-store.ts";
import { urgencyOfPod } from "./worth-keeping.ts";

let directory: string, path: string;
let logged: string[];
const log: Logger = { debug: () => {}, info: (message) => logged.push(message), warn: (message) => logged.push(message), error: (message) => logged.push(message) };

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "skiff-node-store-"));
  path = join(directory, "node.db");
  logged = [];
});
afterEach(() => {
  unmountBelow(directory);
  rmSync(directory, { recursive: true, force: true });
});

const open = (clock = new FakeClock(), secret = "the node's key", cluster = "ours"): NodeStore => new NodeStore({ path, cluster, secret, clock, log });
const configMap = (name: string, resourceVersion: string, value = "v"): Frozen<ConfigMap> => ({ metadata: { name, namespace: "d", uid: name, resourceVersion, managedFields: [{ manager: "m" }] }, data: { value } });
const pod = (name: string, resourceVersion: string, more: Partial<Pod["metadata"]> = {}): Frozen<Pod> => ({ metadata: { name, namespace: "d", uid: name, resourceVersion, ...more }, spec: { containers: [] } }) as Frozen<Pod>;
/** What another process would find now, in a copy, for the file has one owner. */
function onDisk(): Record<string, unknown>[] {
  const copy = join(directory, "copy.db");
  for (const suffix of ["", "-wal"]) if (existsSync(path + suffix)) writeFileSync(copy + suffix, readFileSync(path + suffix));
  const db = new Database(copy);
  try {
    return db.query("SELECT key, resource_version FROM collections JOIN objects ON collection = id ORDER BY key").all() as Record<string, unknown>[];
  } finally {
    db.close();
    for (const suffix of ["", "-wal", "-shm"]) rmSync(copy + suffix, { force: true });
  }
}

describe("informers' objects", () => {
  test("are found by the next process, with where the watch has come to", () => {
    const first = open();
    const store = new ObjectStore<ConfigMap>(first.keeper("kubelet").collection(configmaps, { namespace: "d" }));
    store.resourceVersion = "10";
    store.replace([configMap("a", "3"), configMap("b", "9")]);
    store.resourceVersion = "11";
    store.set(configMap("a", "11", "newer"));
    store.resourceVersion = "12";
    store.delete("d/b");
    store.resourceVersion = "20";
    first.close();

    using second = closing(open());
    const again = new ObjectStore<ConfigMap>(second.keeper("kubelet").collection(configmaps, { namespace: "d" }));
    expect(again.resourceVersion).toBe("20");
    expect(again.list()).toEqual([{ metadata: { name: "a", namespace: "d", uid: "a", resourceVersion: "11" }, data: { value: "newer" } }]);
    expect(second.keeper("network").collection(configmaps, { namespace: "d" }).load()).toBeUndefined();
    expect(second.keeper("kubelet").collection(configmaps, {}).load()).toBeUndefined();
  });

  test("count only once a list was complete", () => {
    const first = open();
    first.keeper("kubelet").collection(configmaps, {}).set(configMap("a", "3"), undefined);
    first.close();
    using second = closing(open());
    expect(second.keeper("kubelet").collection(configmaps, {}).load()).toBeUndefined();
  });

  test("an empty list is known to be empty", () => {
    const first = open();
    new ObjectStore(first.keeper("kubelet").collection(configmaps, {})).resourceVersion = "5";
    first.close();
    using second = closing(open());
    expect(second.keeper("kubelet").collection(configmaps, {}).load()).toEqual({ resourceVersion: "5", objects: [] });
  });

  test("are forgotten when nobody follows them, and may be followed again before that is written", () => {
    const first = open();
    const collection = first.keeper("kubelet").collection(configmaps, {});
    const store = new ObjectStore(collection);
    store.resourceVersion = "5";
    store.replace([configMap("a", "3"), configMap("b", "4")]);
    first.flush();
    collection.forget();
    const followedAgain = new ObjectStore(first.keeper("kubelet").collection(configmaps, {}));
    expect(followedAgain.resourceVersion).toBe("");
    first.flush();
    expect(onDisk()).toEqual([]);
    followedAgain.resourceVersion = "7";
    followedAgain.replace([configMap("b", "6")]);
    first.close();
    expect(onDisk()).toEqual([{ key: "d/b", resource_version: "7" }]);
  });
});

describe("writing", () => {
  test("waits for more to come, and longer while more comes; at rest nothing is written", async () => {
    const clock = new FakeClock();
    using node = closing(open(clock));
    const store = new ObjectStore(node.keeper("kubelet").collection(configmaps, {}));
    store.resourceVersion = "10";
    store.replace([configMap("a", "3")]);
    await clock.advance(999);
    expect(onDisk()).toEqual([]);
    await clock.advance(1);
    expect(onDisk()).toEqual([{ key: "d/a", resource_version: "10" }]);
    await clock.advance(60_000);
    store.resourceVersion = "11";
    store.set(configMap("a", "11"));
    await clock.advance(4999);
    expect(onDisk()).toEqual([{ key: "d/a", resource_version: "10" }]);
    await clock.advance(1);
    expect(onDisk()).toEqual([{ key: "d/a", resource_version: "11" }]);
    store.resourceVersion = "12";
    store.set(configMap("a", "12"));
    await clock.advance(29_999);
    expect(onDisk()).toEqual([{ key: "d/a", resource_version: "11" }]);
    await clock.advance(1);
    expect(onDisk()).toEqual([{ key: "d/a", resource_version: "12" }]);
    // A bookmark is no reason to write: the watch is resumed from a little earlier then.
    const before = statSync(`${path}-wal`).size;
    store.resourceVersion = "500";
    await clock.advance(300_000);
    expect(statSync(`${path}-wal`).size).toBe(before);
  });

  test("pods that come or go are written at once", async () => {
    using node = closing(open());
    const store = new ObjectStore(node.keeper("kubelet", [[pods, urgencyOfPod]]).collection(pods, {}));
    store.resourceVersion = "1";
    store.replace([]);
    store.resourceVersion = "2";
    store.set(pod("a", "2"));
    await settle();
    expect(onDisk()).toEqual([{ key: "d/a", resource_version: "2" }]);
    store.resourceVersion = "3";
    store.set(pod("a", "3"));
    await settle();
    expect(onDisk()).toEqual([{ key: "d/a", resource_version: "2" }]);
    store.resourceVersion = "4";
    store.set(pod("a", "4", { deletionTimestamp: "2026-01-01T00:00:00Z" }));
    await settle();
    expect(onDisk()).toEqual([{ key: "d/a", resource_version: "4" }]);
    store.delete("d/a");
    await settle();
    expect(onDisk()).toEqual([]);
  });

  test("a pod that begins to run is on the disk with all that it needs", async () => {
    using node = closing(open(new FakeClock()));
    const keeper = node.keeper("kubelet", [[pods, urgencyOfPod]]);
    const own = new ObjectStore<Pod>(keeper.collection(pods, {})), settings = new ObjectStore<ConfigMap>(keeper.collection(configmaps, { namespace: "d" }));
    own.resourceVersion = settings.resourceVersion = "1";
    own.replace([pod("a", "1")]);
    await settle();
    settings.replace([configMap("its-own", "2")]);
    node.values.set("its-token", "secret");
    own.set({ ...pod("a", "3"), status: { phase: "Running" } });
    await settle();
    expect(onDisk().map(({ key }) => key)).toEqual(["d/a", "d/its-own"]);
    using kept = new Database(path);
    expect(kept.query("SELECT count(*) AS n FROM answers").get()).toEqual({ n: 1 });
  });

  test("a node's heartbeat is not worth it", async () => {
    const clock = new FakeClock();
    using node = closing(open(clock));
    const store = new ObjectStore(node.keeper("network").collection(nodes, {}));
    const at = (resourceVersion: string, time: string, status = "True"): Frozen<Node> =>
      ({ metadata: { name: "n", uid: "n", resourceVersion }, spec: {}, status: { images: [{ names: ["i"] }], conditions: [{ type: "Ready", status, lastHeartbeatTime: time }] } }) as Frozen<Node>;
    store.resourceVersion = "1";
    store.replace([at("1", "t1")]);
    await clock.advance(60_000);
    store.resourceVersion = "2";
    store.set(at("2", "t2"));
    await clock.advance(60_000);
    expect(onDisk()).toEqual([{ key: "n", resource_version: "1" }]);
    store.resourceVersion = "3";
    store.set(at("3", "t3", "False"));
    await clock.advance(60_000);
    expect(onDisk()).toEqual([{ key: "n", resource_version: "3" }]);
  });

  test("nor is how the pods of other nodes stand, as long as their network does not change", async () => {
    const clock = new FakeClock();
    using node = closing(open(clock));
    const store = new ObjectStore<Pod>(node.keeper("network").collection(pods, {}));
    const at = (resourceVersion: string, ready: string, ip: string): Frozen<Pod> => ({ ...pod("a", resourceVersion), status: { phase: "Running", podIPs: [{ ip }], conditions: [{ type: "Ready", status: ready }] } });
    store.resourceVersion = "1";
    store.replace([at("1", "True", "10.42.0.2")]);
    await clock.advance(60_000);
    store.resourceVersion = "2";
    store.set(at("2", "False", "10.42.0.2"));
    await clock.advance(600_000);
    expect(onDisk()).toEqual([{ key: "d/a", resource_version: "1" }]);
    store.resourceVersion = "3";
    store.set(at("3", "False", "10.42.0.3"));
    await clock.advance(60_000);
    expect(onDisk()).toEqual([{ key: "d/a", resource_version: "3" }]);
  });

  test("a disk that is full costs nothing but the store, until there is room again", async () => {
    const clock = new FakeClock();
    // The store's own limit is met in the same way as the disk's.
    using node = closing(new NodeStore({ path, cluster: "ours", secret: "", mostBytes: 1024 * 1024, clock, log }));
    const store = new ObjectStore(node.keeper("kubelet").collection(configmaps, {}));
    store.resourceVersion = "1";
    store.replace([configMap("small", "1")]);
    node.flush();
    const large = configMap("large", "2", "x".repeat(2 * 1024 * 1024));
    store.resourceVersion = "2";
    store.set(large);
    await clock.advance(30_000);
    expect(logged).toEqual(["The node's store can't be written: after a reboot without the server, the node would go on with an older state"]);
    expect(onDisk()).toEqual([{ key: "d/small", resource_version: "1" }]);
    await clock.advance(120_000);
    expect(logged).toHaveLength(1);
    store.delete("d/large", large);
    store.resourceVersion = "3";
    store.set(configMap("late", "3"));
    await clock.advance(60_000);
    expect(logged.at(-1)).toBe("The node's store is written again");
    expect(onDisk()).toEqual([{ key: "d/late", resource_version: "3" }, { key: "d/small", resource_version: "3" }]);
  });
});

describe("secrets", () => {
  const secret: Frozen<Secret> = { metadata: { name: "s", namespace: "d", uid: "s", resourceVersion: "1" }, data: { password: Buffer.from("hunter2").toString("base64") } };

  test("can't be read from the disk, and not with another key", () => {
    const first = open();
    const store = new ObjectStore(first.keeper("kubelet").collection(secrets, {}));
    store.resourceVersion = "1";
    store.replace([secret]);
    first.values.set("token/1", "eyJhbGciOi");
    first.close();
    const bytes = readdirSync(directory).map((name) => readFileSync(join(directory, name), "latin1")).join("");
    for (const text of [secret.data!["password"]!, "hunter2", "eyJhbGciOi"]) expect(bytes).not.toContain(text);
    expect(statSync(path).mode & 0o777).toBe(0o600);

    const other = open(undefined, "another key");
    expect(other.keeper("kubelet").collection(secrets, {}).load()).toBeUndefined();
    expect(other.values.get("token/1")).toBeUndefined();
    expect(logged).toHaveLength(2);
    other.close();
  });

  test("are found with the same key", () => {
    const first = open();
    const store = new ObjectStore(first.keeper("kubelet").collection(secrets, {}));
    store.resourceVersion = "1";
    store.replace([secret]);
    first.values.set("token/1", "eyJhbGciOi");
    first.values.set("token/2", "other");
    first.values.set("claim/d/c", "{}");
    first.values.forget("token/2");
    first.close();
    using second = closing(open());
    expect(second.keeper("kubelet").collection(secrets, {}).load()!.objects).toEqual([secret]);
    expect([second.values.get("token/1"), second.values.get("token/2"), second.values.get("claim/d/c")]).toEqual(["eyJhbGciOi", undefined, "{}"]);
  });
});

describe("the file", () => {
  test("what nobody asks for is dropped after a while", async () => {
    const first = open();
    for (const owner of ["kubelet", "network"]) {
      const store = new ObjectStore(first.keeper(owner).collection(configmaps, {}));
      store.resourceVersion = "1";
      store.replace([configMap("a", "1")]);
    }
    for (const name of ["asked", "unasked"]) first.values.set(name, name);
    first.close();
    const clock = new FakeClock();
    const second = open(clock);
    new ObjectStore(second.keeper("kubelet").collection(configmaps, {}));
    second.values.get("asked");
    await clock.advance(600_000);
    second.close();
    using third = closing(open());
    expect(third.keeper("kubelet").collection(configmaps, {}).load()!.objects).toHaveLength(1);
    expect(third.keeper("network").collection(configmaps, {}).load()).toBeUndefined();
    expect([third.values.get("asked"), third.values.get("unasked")]).toEqual(["asked", undefined]);
  });

  test("says nothing of another cluster", async () => {
    const first = open();
    new ObjectStore(first.keeper("kubelet").collection(configmaps, {})).resourceVersion = "1";
    first.values.set("claim/d/c", "{}");
    first.close();
    using second = closing(open(undefined, undefined, "theirs"));
    expect([second.keeper("kubelet").collection(configmaps, {}).load(), second.values.get("claim/d/c")]).toEqual([undefined, undefined]);
  });

  test.each([
    ["rubbish", () => writeFileSync(path, "not a database, but long enough to be taken for one".repeat(100))],
    ["a page overwritten", () => {
      const bytes = readFileSync(path);
      bytes.fill(0xaa, 4096, 8192);
      writeFileSync(path, bytes);
    }],
    ["of a later version", () => {
      const db = new Database(path);
      db.run("PRAGMA user_version = 99");
      db.close();
    }],
  ])("is set aside when it is %s, and the node goes on with an empty one", (_, damage) => {
    const first = open();
    const store = new ObjectStore(first.keeper("kubelet").collection(configmaps, {}));
    store.resourceVersion = "1";
    store.replace([configMap("a", "1")]);
    first.close();
    for (const n of ["", "-2"]) {
      damage();
      const damaged = readFileSync(path);
      const node = open();
      expect(node.keeper("kubelet").collection(configmaps, {}).load()).toBeUndefined();
      node.close();
      expect(readFileSync(`${path}.damaged${n}`).equals(damaged)).toBe(true);
    }
    expect(logged.filter((message) => message.includes("set aside"))).toHaveLength(2);
  });

  describe("on a disk that is full", () => {
    let disk: string;
    beforeEach(() => {
      disk = join(directory, "disk");
      mkdirSync(disk);
      expect(Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", disk]).exitCode).toBe(0);
      path = join(disk, "node.db");
    });
    const fill = (): void => {
      try {
        for (let n = 0; ; n++) writeFileSync(join(disk, `filler-${n}`), Buffer.alloc(4096));
      } catch (error) {
        expect((error as NodeJS.ErrnoException).code).toBe("ENOSPC");
      }
    };

    test("is read, and written again when there is room", async () => {
      const first = open();
      const store = new ObjectStore(first.keeper("kubelet").collection(configmaps, {}));
      store.resourceVersion = "1";
      store.replace([configMap("a", "1")]);
      first.close();
      fill();
      const clock = new FakeClock();
      const second = open(clock);
      const again = new ObjectStore<ConfigMap>(second.keeper("kubelet").collection(configmaps, {}));
      expect(again.list()).toHaveLength(1);
      again.resourceVersion = "2";
      again.set(configMap("b", "2", "x".repeat(10_000)));
      await clock.advance(30_000);
      expect(logged).toEqual(["The node's store can't be written: after a reboot without the server, the node would go on with an older state"]);
      for (let n = 0; n < 20; n++) rmSync(join(disk, `filler-${n}`), { force: true });
      await clock.advance(60_000);
      expect(logged.at(-1)).toBe("The node's store is written again");
      second.close();
      const third = open();
      expect(third.keeper("kubelet").collection(configmaps, {}).load()!.objects).toHaveLength(2);
      third.close();
    });

    test("is done without", () => {
      fill();
      const node = open();
      const store = new ObjectStore(node.keeper("kubelet").collection(configmaps, {}));
      store.resourceVersion = "1";
      store.replace([configMap("a", "1")]);
      node.values.set("a", "b");
      node.close();
      expect(logged).toEqual(["The node's store can't be opened: until Skiff is started again with room on the disk, the node forgets with its power what it knows of the cluster"]);
    });
  });

  test("shows a state that was, however its owner was killed", async () => {
    let reached = 0;
    for (let round = 0; round < 12; round++) {
      const writer = Bun.spawn([process.execPath, join(import.meta.dir, "write-forever.fixture.ts"), path], { stdout: "pipe" });
      // Until it writes: on a machine that is busy it takes long to begin.
      await writer.stdout.getReader().read();
      await Bun.sleep(Math.random() * 100);
      writer.kill("SIGKILL");
      await writer.exited;
      const node = open(undefined, "s", "c");
      const { resourceVersion = "0", objects = [] } = node.keeper("kubelet").collection(pods, {}).load() ?? {};
      node.close();
      const version = Number(resourceVersion), expected = new Map<string, string>();
      for (let each = Math.max(1, version - 69); each <= version; each++) {
        if (each % 7 === 0) expected.delete(`pod-${each % 10}`);
        else expected.set(`pod-${each % 10}`, String(each));
      }
      expect(objects.map(({ metadata }) => [metadata.name!, metadata.uid!]).toSorted()).toEqual([...expected].toSorted());
      expect(version).toBeGreaterThanOrEqual(reached);
      reached = version;
    }
    expect(reached).toBeGreaterThan(100);
    expect(logged).toEqual([]);
  });

  test("has one owner", async () => {
    const script = `import { NodeStore } from ${JSON.stringify(join(import.meta.dir, "node-store.ts"))}; new NodeStore({ path: process.argv[1], cluster: "", secret: "" })`;
    using node = closing(open());
    node.values.set("a", "b");
    node.flush();
    const other = Bun.spawn([process.execPath, "-e", script, path], { stderr: "pipe" });
    expect(await new Response(other.stderr).text()).toContain("node.db is in use by another agent: stop it first, or give this one a data directory of its own");
    expect(existsSync(`${path}.damaged`)).toBe(false);
  });
});

/** For `using`. */
const closing = (node: NodeStore): NodeStore & Disposable => Object.assign(node, { [Symbol.dispose]: () => node.close() });
