import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { logger } from "../../../src/base/log.ts";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import type { Pod } from "../pod/pod.ts";
import { DeviceCheckpoints } from "./device-checkpoint.ts";
import { DeviceManager } from "./device-manager.ts";
import { noGrant, type Device, type DeviceSource } from "./device.ts";

const resource = "example.com/thing";
let directory = "", clock: FakeClock, capacityChanges = 0, healthChanges: string[] = [];
const stop = new AbortController();

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "skiff-devices-"));
  [clock, capacityChanges, healthChanges] = [new FakeClock(), 0, []];
});
afterEach(() => rmSync(directory, { recursive: true }));

const file = (): string => join(directory, "checkpoint");
const start = (): DeviceManager => new DeviceManager({
  checkpoints: new DeviceCheckpoints(file(), logger("test")), clock, log: logger("test"), onCapacity: () => capacityChanges++, onHealth: (uids) => healthChanges.push(...uids),
});
const source = (more: Partial<DeviceSource> = {}): DeviceSource => ({ resource, allocate: async (ids) => ({ ...noGrant, envs: { THINGS: ids.join() } }), ...more });
const device = (id: string, healthy = true): Device => ({ id, healthy, numaNodes: [] });
const container = (name: string, count: number, more: object = {}) => ({ name, image: "i", ...(count > 0 ? { resources: { limits: { [resource]: String(count) } } } : {}), ...more });
const pod = (uid: string, containers: object[], initContainers: object[] = []): Pod => ({ metadata: { uid, name: uid, namespace: "n" }, spec: { containers, initContainers } }) as unknown as Pod;
const one = (uid: string, count = 1): Pod => pod(uid, [container("c", count)]);
const everybody = (): boolean => true;
const idsOf = (manager: DeviceManager, uid: string, name = "c"): readonly string[] | undefined => manager.allocations[uid]?.[name]?.[resource]?.ids;

function offering(manager: DeviceManager, ...devices: Device[]): DeviceSource {
  const offered = source();
  manager.offer(offered);
  manager.update(offered, devices);
  return offered;
}

describe("devices are given", () => {
  test("to one container each, with what the source says of them", async () => {
    const manager = start();
    offering(manager, device("2"), device("10"), device("1"));
    expect(await manager.allocate(one("a", 2), everybody)).toBeUndefined();
    expect(idsOf(manager, "a")).toEqual(["1", "2"]);
    expect(await manager.grantFor(one("a"), { name: "c" })).toMatchObject({ envs: { THINGS: "1,2" } });
    expect(await manager.allocate(one("b"), everybody)).toBeUndefined();
    expect(idsOf(manager, "b")).toEqual(["10"]);
    expect(await manager.allocate(one("c"), everybody)).toBe(`requested number of devices unavailable for ${resource}. Requested: 1, Available: 0`);
    manager.release("a");
    expect(await manager.allocate(one("c"), everybody)).toBeUndefined();
  });

  test("two pods at once never get the same", async () => {
    const manager = start();
    const slow = source({ allocate: async () => { await Bun.sleep(5); return noGrant; } });
    manager.offer(slow);
    manager.update(slow, [device("1")]);
    const answers = await Promise.all([manager.allocate(one("a"), everybody), manager.allocate(one("b"), everybody)]);
    expect(answers).toEqual([undefined, expect.stringContaining("unavailable")]);
  });

  test("those of plain init containers are handed on; those of sidecars are kept", async () => {
    const manager = start();
    offering(manager, device("1"), device("2"));
    expect(await manager.allocate(pod("a", [container("c", 1)], [container("init", 2), container("side", 1, { restartPolicy: "Always" })]), everybody)).toBeUndefined();
    expect([idsOf(manager, "a", "init"), idsOf(manager, "a", "side"), idsOf(manager, "a")]).toEqual([["1", "2"], ["1"], ["2"]]);
  });

  test("as the source prefers, and made ready before each start", async () => {
    const manager = start(), ready: string[][] = [];
    const picky = source({ preferred: async (_, __, size) => ["3", "2", "1"].slice(0, size), beforeStart: async (ids) => void ready.push([...ids]) });
    manager.offer(picky);
    manager.update(picky, [device("1"), device("2"), device("3")]);
    await manager.allocate(one("a", 2), everybody);
    expect(idsOf(manager, "a")).toEqual(["3", "2"]);
    await manager.grantFor(one("a"), { name: "c" });
    expect(ready).toEqual([["3", "2"]]);
  });

  test("not at all when the source refuses: what the pod had been given is free again", async () => {
    const manager = start();
    let asked = 0;
    const failing = source({ allocate: async () => { if (++asked === 2) throw new Error("burnt"); return noGrant; } });
    manager.offer(failing);
    manager.update(failing, [device("1"), device("2")]);
    expect(await manager.allocate(pod("a", [container("c", 1), container("d", 1)]), everybody)).toBe("burnt");
    expect(await manager.allocate(one("b", 2), everybody)).toBeUndefined();
  });

  test("again when their pod is known to nobody any more", async () => {
    const manager = start();
    offering(manager, device("1"));
    await manager.allocate(one("a"), everybody);
    expect(await manager.allocate(one("b"), (uid) => uid !== "a")).toBeUndefined();
  });

  test("only those that somebody offers: other resources are the cluster's affair", async () => {
    const manager = start();
    expect(await manager.allocate(one("a"), everybody)).toBeUndefined();
    expect(manager.manages(resource)).toBeFalse();
  });
});

describe("a source that goes", () => {
  test("leaves unhealthy devices, and after five minutes none", async () => {
    const manager = start();
    const offered = offering(manager, device("1"), device("2"));
    await manager.allocate(one("a"), everybody);
    manager.withdraw(offered, stop.signal);
    expect(manager.capacity()).toEqual({ capacity: { [resource]: "2" }, allocatable: { [resource]: "0" } });
    expect(healthChanges).toEqual(["a"]);
    expect(manager.statusOf("a", "c")).toEqual([{ name: resource, resources: [{ resourceID: "1", health: "Unhealthy" }] }]);
    expect(await manager.allocate(one("b"), everybody)).toBe(`no healthy devices present; cannot allocate unhealthy devices ${resource}`);
    await clock.advance(5 * 60_000);
    expect(manager.capacity().capacity).toEqual({ [resource]: "0" });
    expect(manager.statusOf("a", "c")![0]!.resources![0]!.health).toBe("Unknown");
  });

  test("and comes back in time has never been away", async () => {
    const manager = start();
    manager.withdraw(offering(manager, device("1")), stop.signal);
    await clock.advance(60_000);
    offering(manager, device("1"));
    await clock.advance(10 * 60_000);
    expect(manager.capacity().allocatable).toEqual({ [resource]: "1" });
  });

  test("and is late with its last words changes nothing", () => {
    const manager = start();
    const old = offering(manager, device("1"));
    offering(manager, device("1"), device("2"));
    manager.update(old, []);
    manager.withdraw(old, stop.signal);
    expect(manager.capacity().allocatable).toEqual({ [resource]: "2" });
  });
});

test("health that changes is told to those who hold the device alone", async () => {
  const manager = start();
  const offered = offering(manager, device("1"), device("2"));
  await manager.allocate(one("a"), everybody);
  capacityChanges = 0;
  manager.update(offered, [device("1"), device("2", false)]);
  expect([capacityChanges, healthChanges]).toEqual([1, []]);
  manager.update(offered, [device("1", false), device("2", false)]);
  expect([capacityChanges, healthChanges]).toEqual([2, ["a"]]);
});

describe("after a restart", () => {
  test("pods have their devices, and the node has the resource before anybody offers it", async () => {
    const before = start();
    offering(before, device("1"), device("2"));
    await before.allocate(one("a"), everybody);
    const after = start();
    expect(after.capacity()).toEqual({ capacity: { [resource]: "0" }, allocatable: { [resource]: "0" } });
    expect(await after.allocate(one("a"), everybody)).toBeUndefined();
    expect(await after.grantFor(one("a"), { name: "c" })).toMatchObject({ envs: { THINGS: "1" } });
    offering(after, device("1"), device("2"));
    await after.allocate(one("b"), everybody);
    expect(idsOf(after, "b")).toEqual(["2"]);
  });

  test("a file that makes no sense is set aside", () => {
    writeFileSync(file(), "{");
    expect(start().capacity().capacity).toEqual({});
    expect(readFileSync(`${file()}.corrupt`, "utf8")).toBe("{");
  });
});
