import { describe, expect, test } from "bun:test";
import { FakeClock, settle } from "../../../test/support/fake-clock.ts";
import { MemoryStorage } from "../../storage/memory/memory-storage.ts";
import { sealedBy } from "../../storage/sealed/envelope.ts";
import { Keyring } from "../../storage/sealed/keyring.ts";
import { SealedStorage } from "../../storage/sealed/sealed-storage.ts";
import { type ConfigStore, type EncryptionConfig, keyringOf, noEncryption, planAction, planStart } from "./config.ts";
import { Encryption } from "./encryption.ts";

const secret = (n: number): string => `/registry/core/secrets/default/s${n}`;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** What servers share, and what they all write to: it outlives each of them. */
class Cluster {
  readonly inner = new MemoryStorage();
  readonly stores = new Set<Store>();
  readonly purged: string[] = [];
  config: EncryptionConfig = noEncryption;

  set(config: EncryptionConfig): void {
    this.config = config;
    for (const store of this.stores) store.take();
  }

  server(): Server {
    return new Server(this);
  }

  async sealers(): Promise<(string | undefined)[]> {
    return [...new Set((await this.inner.list("/registry/")).items.map(({ value }) => sealedBy(value)))];
  }
}

class Store implements ConfigStore {
  readonly keyring = new Keyring(keyringOf(noEncryption));
  /** Dies instead of the change that this says. */
  dieBefore: (config: EncryptionConfig) => boolean = () => false;
  #listener = (): void => undefined;
  constructor(private readonly cluster: Cluster) {
    this.take();
    cluster.stores.add(this);
  }

  get current(): EncryptionConfig {
    return this.cluster.config;
  }

  take(): void {
    this.keyring.state = keyringOf(this.cluster.config);
    this.#listener();
  }

  async replace(before: EncryptionConfig, config: EncryptionConfig): Promise<boolean> {
    await settle();
    if (this.dieBefore(config)) throw new Error("killed");
    if (before !== this.cluster.config) return false;
    this.cluster.set(config);
    return true;
  }

  onChange(listener: () => void): void {
    this.#listener = listener;
  }
}

class Server {
  readonly configs: Store;
  readonly encryption: Encryption;
  readonly storage: SealedStorage;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;

  constructor(cluster: Cluster) {
    this.configs = new Store(cluster);
    const die = (): never => {
      this.#stop.abort();
      throw new Error("killed");
    };
    this.storage = new SealedStorage(new Proxy(cluster.inner, {
      get: (inner, name) => {
        const value: unknown = Reflect.get(inner, name);
        if (name === "update") return async (...of: Parameters<MemoryStorage["update"]>) => (this.mayRewrite-- > 0 ? inner.update(...of) : die());
        return typeof value === "function" ? value.bind(inner) : value;
      },
    }), this.configs.keyring);
    this.configs.dieBefore = () => this.#stop.signal.aborted;
    this.encryption = new Encryption({ configs: this.configs, storage: this.storage, enabledAtStart: false, clock: this.clock, purge: async () => {
      if (this.dieAtPurge) die();
      if (this.obstacle) throw new Error(this.obstacle);
      cluster.purged.push((await cluster.sealers()).join());
    } });
  }

  /** What it may write again before it dies of it. */
  mayRewrite = Infinity;
  dieAtPurge = false;
  obstacle: string | undefined;
  readonly clock = new FakeClock();

  /** As the leader. */
  lead(): this {
    this.#running = this.encryption.run(this.#stop.signal);
    return this;
  }

  async died(): Promise<void> {
    for (let turns = 0; !this.#stop.signal.aborted; turns++) {
      if (turns > 1000) throw new Error("it lives");
      await settle();
    }
  }

  /** Dies amid whatever it does. */
  kill(): void {
    this.#stop.abort();
  }

  async done(): Promise<void> {
    for (let turns = 0; this.encryption.status.stage !== "finished"; turns++) {
      if (turns > 1000) throw new Error("it does not end");
      await settle();
    }
  }

  async stop(): Promise<void> {
    this.kill();
    await this.#running;
  }
}

async function filled(count = 200): Promise<Cluster> {
  const cluster = new Cluster();
  for (let n = 0; n < count; n++) await cluster.inner.create(secret(n), bytes(`value ${n}`));
  return cluster;
}

async function mustBeReadable({ storage }: Server): Promise<void> {
  const { items } = await storage.list("/registry/");
  expect(items.length).toBeGreaterThan(0);
  for (const { key, value } of items) expect(new TextDecoder().decode(value)).toBe(`value ${key.slice(key.lastIndexOf("s") + 1)}`);
}

test("a change asked of any server holds for all, and the leader brings up to date what lies there", async () => {
  const cluster = await filled(), leader = cluster.server().lead(), other = cluster.server();
  expect((await other.encryption.change("enable")).stage).toBe("rewriting");
  await other.storage.create(secret(999), bytes("value 999"));
  await leader.done();
  const [first] = cluster.config.keys;
  expect(await cluster.sealers()).toEqual([first!.name]);
  await Promise.all([leader.encryption.change("rotate-keys"), other.encryption.change("rotate-keys")]);
  await leader.done();
  expect(cluster.config.keys).toHaveLength(1);
  expect(cluster.config.keys[0]!.name).not.toBe(first!.name);
  expect(await cluster.sealers()).toEqual([cluster.config.keys[0]!.name]);
  expect((await other.encryption.change("disable")).enabled).toBe(false);
  await leader.done();
  expect(await cluster.sealers()).toEqual([undefined]);
  // Asked for what is so already, nothing is done.
  const before = cluster.config;
  await leader.encryption.change("disable");
  expect(cluster.config).toBe(before);
  await expect(other.encryption.change("rotate-keys")).rejects.toThrow("while encryption is disabled");
  for (const server of [leader, other]) await mustBeReadable(server);
  await leader.stop();
});

describe.each([["enable", noEncryption], ["rotate-keys", planAction(noEncryption, "enable", 0)], ["disable", planAction(noEncryption, "enable", 0)]] as const)("%s: the leader dies, another goes on", (action, from) => {
  const start = async (): Promise<{ cluster: Cluster; leader: Server; other: Server }> => {
    const cluster = await filled();
    cluster.set(from);
    const leader = cluster.server().lead(), other = cluster.server();
    await leader.done();
    return { cluster, leader, other };
  };
  const mustEndWell = async (cluster: Cluster, other: Server): Promise<void> => {
    expect(cluster.config.pending).toBe(true);
    await mustBeReadable(other);
    await other.lead().done();
    await mustBeReadable(other);
    expect(await cluster.sealers()).toEqual([action === "disable" ? undefined : cluster.config.keys[0]!.name]);
    expect(cluster.config.keys).toHaveLength(1);
    expect(cluster.purged.at(-1)).toBe((await cluster.sealers()).join());
    await other.stop();
  };

  test("before the change", async () => {
    const { cluster, leader, other } = await start();
    leader.kill();
    await expect(leader.encryption.change(action)).rejects.toThrow("killed");
    expect(cluster.config.pending).toBe(false);
    await mustBeReadable(other);
  });

  test.each([0, 1, 63, 64, 65, 150, 199])("having written %i values anew", async (count) => {
    const { cluster, leader, other } = await start();
    leader.mayRewrite = count;
    await other.encryption.change(action);
    await leader.died();
    await leader.stop();
    await mustEndWell(cluster, other);
  });

  test("before what was overwritten is out of the files", async () => {
    const { cluster, leader, other } = await start();
    leader.dieAtPurge = true;
    await other.encryption.change(action);
    await leader.died();
    await leader.stop();
    await mustEndWell(cluster, other);
  });

  test("before it drops the old key", async () => {
    const { cluster, leader, other } = await start();
    leader.configs.dieBefore = ({ pending }) => {
      if (!pending) leader.kill();
      return !pending;
    };
    await other.encryption.change(action);
    await leader.died();
    await leader.stop();
    await mustEndWell(cluster, other);
  });
});

test("changed again amid rewriting, it begins anew, and drops no key that is needed", async () => {
  const cluster = await filled(), leader = cluster.server().lead(), other = cluster.server();
  await other.encryption.change("enable");
  await settle();
  for (const action of ["rotate-keys", "disable", "enable", "rotate-keys"] as const) {
    await other.encryption.change(action);
    await mustBeReadable(other);
  }
  await leader.done();
  await mustBeReadable(other);
  expect(await cluster.sealers()).toEqual([cluster.config.keys[0]!.name]);
  await leader.stop();
});

test("what is in the way is told until it is gone, and no key is dropped before", async () => {
  const cluster = await filled(), leader = cluster.server().lead();
  await leader.encryption.change("enable");
  await leader.done();
  leader.obstacle = "a member is away";
  await leader.encryption.change("rotate-keys");
  await leader.clock.advance(100_000);
  expect([leader.encryption.problem, leader.encryption.status.stage, cluster.config.keys.length]).toEqual(["a member is away", "rewriting", 2]);
  leader.obstacle = undefined;
  await leader.clock.advance(60_000);
  await leader.done();
  expect([leader.encryption.problem, cluster.config.keys.length]).toEqual([undefined, 1]);
  await leader.stop();
});

test("options at start turn it on and never off", () => {
  const on = { enable: true, resources: ["secrets"] }, off = { enable: false, resources: ["secrets"] };
  expect(planStart(noEncryption, off, 0)).toBe(noEncryption);
  const enabled = planStart(noEncryption, on, 0);
  expect(enabled).toMatchObject({ enabled: true, pending: true, keys: [{ created: "1970-01-01T00:00:00Z" }] });
  expect(planStart(enabled, off, 0)).toBe(enabled);
  const disabled = planAction(enabled, "disable", 0);
  expect(planStart(disabled, on, 0)).toEqual(enabled);
  expect(planStart(enabled, { enable: true, resources: ["secrets", "configmaps"] }, 0)).toMatchObject({ resources: ["secrets", "configmaps"], pending: true, keys: enabled.keys });
});
