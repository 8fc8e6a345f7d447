import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { bytes, collect, refusal, text } from "../../../test/contract/storage.ts";
import { MemoryStorage } from "../memory/memory-storage.ts";
import { type Storage, StorageError, type WriteOptions } from "../storage.ts";
import { type SealingKey, seal, sealedBy, unseal } from "./envelope.ts";
import { Keyring } from "./keyring.ts";
import { SealedStorage } from "./sealed-storage.ts";

const prefix = "/registry/core/secrets/";
const secret = (name: string): string => `${prefix}default/${name}`;
const newKey = (name: string): SealingKey => ({ name, secret: randomBytes(32) });

describe("an envelope", () => {
  const key = newKey("one"), value = bytes('{"data":"x"}');

  test("gives back what was put in, and names its key", () => {
    const sealed = seal(value, key, secret("a"));
    expect(sealedBy(sealed)).toBe("one");
    expect(unseal(sealed, key, secret("a"))).toEqual(value);
    expect(text(sealed)).not.toContain("data");
    expect(seal(value, key, secret("a"))).not.toEqual(sealed);
    expect(unseal(seal(bytes(""), key, secret("a")), key, secret("a"))).toEqual(bytes(""));
  });

  test("is opened by its own key alone, where it was put, unchanged", () => {
    const sealed = seal(value, key, secret("a"));
    const refused = (change: () => unknown): void => expect(change).toThrow("can't be decrypted with the key one");
    refused(() => unseal(sealed, newKey("one"), secret("a")));
    refused(() => unseal(sealed, key, secret("b")));
    for (let at = 22; at < sealed.length; at++) refused(() => unseal(sealed.map((byte, index) => (index === at ? byte ^ 1 : byte)), key, secret("a")));
    for (const length of [22, 30, sealed.length - 1]) refused(() => unseal(sealed.subarray(0, length), key, secret("a")));
  });

  test("values that were never sealed name no key", () => {
    for (const plain of ["", "{}", "k8s", "k8s:enc:aesgcm:v1:", `k8s:enc:aesgcm:v1:${"x".repeat(500)}:`]) expect(sealedBy(bytes(plain))).toBeUndefined();
  });
});

describe("storage with encryption at rest", () => {
  const first = newKey("first"), second = newKey("second");
  const open = (inner = new MemoryStorage(), state: Partial<Keyring["state"]> = {}) => ({ inner, storage: new SealedStorage(inner, new Keyring({ enabled: true, keys: [first], prefixes: [prefix], ...state })) });
  const sealers = async (inner: MemoryStorage): Promise<(string | undefined)[]> => (await inner.list("/registry/")).items.map(({ value }) => sealedBy(value));
  const never = new AbortController().signal;

  test("seals what it concerns and nothing else", async () => {
    const { inner, storage } = open();
    await storage.create(secret("a"), bytes("hidden"));
    await storage.create("/registry/core/configmaps/default/a", bytes("seen"));
    expect(text((await inner.get(secret("a")))!.value)).not.toContain("hidden");
    expect(text((await inner.get("/registry/core/configmaps/default/a"))!.value)).toBe("seen");
    expect((await storage.list("/registry/")).items.map(({ value }) => text(value))).toEqual(["seen", "hidden"]);
  });

  test("a key that isn't there is told, and nothing is lost", async () => {
    const { inner, storage } = open();
    const revision = await storage.create(secret("a"), bytes("hidden"));
    const other = open(inner, { keys: [second] }).storage;
    expect(await refusal(other.get(secret("a")))).toBe("corrupt");
    expect(await refusal(other.list(prefix))).toBe("corrupt");
    expect(await other.get(secret("a")).catch((error: Error) => error.message)).toContain("encrypted with the key first, which this server does not have");
    expect(await storage.get(secret("a"))).toMatchObject({ revision });
  });

  test("writes again what lies otherwise: when it begins, when keys change, when it ends", async () => {
    const { inner, storage } = open(undefined, { enabled: false });
    for (let n = 0; n < 150; n++) await storage.create(secret(`s${n}`), bytes(`value ${n}`));
    const watched = collect(storage, prefix, storage.revision);
    for (const [change, sealer] of [[{ enabled: true }, "first"], [{ keys: [second, first] }, "second"], [{ enabled: false }, undefined]] as const) {
      storage.keyring.state = { ...storage.keyring.state, ...change };
      expect(await storage.rewrite(never)).toBe(150);
      expect(await storage.rewrite(never)).toBe(0);
      expect(new Set(await sealers(inner))).toEqual(new Set([sealer]));
      expect((await storage.list(prefix)).items.map(({ key, value }) => `${key.slice(key.lastIndexOf("s") + 1)}=${text(value)}`).every((each) => /^(\d+)=value \1$/.test(each))).toBe(true);
    }
    await watched.until(450);
    expect(watched.events.every(({ value, previous }) => text(value) === text(previous!))).toBe(true);
    await watched.stop();
  });

  test("what is written and deleted meanwhile stays so", async () => {
    const { storage } = open(undefined, { enabled: false });
    const revisions = await Promise.all(Array.from({ length: 40 }, (_, n) => storage.create(secret(`s${n}`), bytes("old"))));
    storage.keyring.state = { ...storage.keyring.state, enabled: true };
    const writes = revisions.slice(0, 20).map((revision, n) => (n % 2 ? storage.update(secret(`s${n}`), revision, bytes("new")) : storage.delete(secret(`s${n}`), revision)));
    await Promise.all([storage.rewrite(never), ...writes]);
    expect((await storage.list(prefix)).items.map(({ value }) => text(value)).toSorted()).toEqual([...Array(10).fill("new"), ...Array(20).fill("old")]);
  });

  test("where several write, each write is made anew by the newest keyring, and a read asks for the key it lacks", async () => {
    const inner = new MemoryStorage(), keyring = new Keyring({ enabled: true, keys: [first], prefixes: [prefix], fence: 1 });
    // Knows of another server's newer keyring, and refuses what follows none or an older one.
    let newest = 1, tellsWhy = true;
    const learn = (): void => void (keyring.state = { ...keyring.state, keys: newest === 1 ? [first] : [second, first], fence: newest });
    const mustBeNewest = ({ fence }: WriteOptions = {}): void => {
      if (fence === newest) return;
      if (tellsWhy) learn();
      throw new StorageError("outdated", "newer keys");
    };
    const { create, update }: Storage = inner, shared: Pick<Storage, "create" | "update"> = {
      create: async (key, value, options) => (mustBeNewest(options), create.call(inner, key, value)),
      update: async (key, revision, value, options) => (mustBeNewest(options), update.call(inner, key, revision, value)),
    };
    Object.assign(inner, shared);
    const storage = new SealedStorage(inner, keyring, async () => learn());
    const revision = await storage.create(secret("a"), bytes("1"));
    newest = 2;
    await storage.update(secret("a"), revision, bytes("2"), { volatile: true });
    expect(await sealers(inner)).toEqual(["second"]);
    newest = 3;
    tellsWhy = false;
    expect(await refusal(storage.create(secret("b"), bytes("1")))).toBe("outdated");
    keyring.state = { ...keyring.state, keys: [first] };
    expect(text((await storage.get(secret("a")))!.value)).toBe("2");
    keyring.state = { ...keyring.state, keys: [first], dropped: [second] };
    expect((await storage.list(prefix)).items.map(({ value }) => text(value))).toEqual(["2"]);
  });

  test("stops when told to, and goes on later", async () => {
    const { storage } = open(undefined, { enabled: false });
    for (let n = 0; n < 200; n++) await storage.create(secret(`s${n}`), bytes("x"));
    storage.keyring.state = { ...storage.keyring.state, enabled: true };
    const stop = new AbortController(), interrupted = storage.rewrite(stop.signal);
    stop.abort();
    const before = await interrupted;
    expect(before).toBeLessThan(200);
    expect(before + await storage.rewrite(never)).toBe(200);
  });
});
