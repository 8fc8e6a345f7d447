import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { logger } from "../../../src/base/log.ts";
import type { PodSpec, ResourceRequirements } from "../../../src/apis/generated/core/v1.ts";
import type { EventRecorder } from "../../../src/client/recorder.ts";
import type { ContainerRuntime } from "../../cri/cri.ts";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import type { Pod } from "../pod/pod.ts";
import type { PodDisk, PodDisks } from "../stats/pod-disk.ts";
import { Eviction } from "./eviction.ts";
import { PressureHistory } from "./pressure.ts";
import { diskUsed, evictionMessage, freesDisk, rank, type PodUsage } from "./rank.ts";
import { limitsContainers, limitsVolumes, storageViolation } from "./storage-limits.ts";
import { defaultThresholds, isMet, parseThresholds, type Observations, type Signal, type Threshold } from "./thresholds.ts";

const mib = 2 ** 20, gib = 2 ** 30;
const podOf = (name: string, resources: ResourceRequirements = {}, spec: Partial<PodSpec> = {}): Pod => ({ metadata: { name, namespace: "n", uid: name }, spec: { containers: [{ name: "main", resources }], ...spec } });
const seen = (signal: Signal, available: number, capacity = gib): Observations => new Map([[signal, { available, capacity }]]);

describe("thresholds", () => {
  test("are read as a kubelet's flags", () => {
    expect(parseThresholds({ hard: ["memory.available<100Mi", "nodefs.available<10%", "imagefs.available<0%"], soft: ["memory.available<300Mi"], softGracePeriod: ["memory.available=1m30s"], minimumReclaim: ["nodefs.available=1Gi"] })).toEqual([
      { signal: "memory.available", amount: { units: 100 * mib }, graceMs: 0 },
      { signal: "nodefs.available", amount: { share: 0.1 }, graceMs: 0, minimumReclaim: { units: gib } },
      { signal: "memory.available", amount: { units: 300 * mib }, graceMs: 90_000 },
    ]);
    expect(parseThresholds(defaultThresholds)).toHaveLength(6);
  });
  test.each([
    [{ hard: ["cpu.available<1"] }, 'unknown eviction signal in "cpu.available<1"'],
    [{ hard: ["memory.available"] }, "must be written as memory.available<value"],
    [{ hard: ["memory.available<101%"] }, "must not be more than 100%"],
    [{ hard: ["memory.available<0"] }, "must be positive"],
    [{ hard: ["memory.available<-1Mi"] }, "must not be negative"],
    [{ hard: [], soft: ["memory.available<1Gi"] }, "grace period must be specified for the soft eviction threshold memory.available"],
    [{ hard: [], softGracePeriod: ["memory.available=never"] }, "invalid duration"],
  ])("%p is refused", (settings, message) => expect(() => parseThresholds(settings)).toThrow(message));

  test("are met below their amount, and resolved once more is free", () => {
    const [threshold] = parseThresholds({ hard: ["nodefs.available<10%"], minimumReclaim: ["nodefs.available=5%"] });
    expect([isMet(threshold!, seen("nodefs.available", 0.09 * gib)), isMet(threshold!, seen("nodefs.available", 0.11 * gib))]).toEqual([true, false]);
    expect([isMet(threshold!, seen("nodefs.available", 0.14 * gib), true), isMet(threshold!, seen("nodefs.available", 0.16 * gib), true), isMet(threshold!, new Map(), true)]).toEqual([true, false, false]);
  });
});

describe("pressure", () => {
  const thresholds = parseThresholds({ hard: ["memory.available<100Mi", "pid.available<10"], soft: ["nodefs.available<1Mi"], softGracePeriod: ["nodefs.available=60s"], minimumReclaim: ["memory.available=50Mi"] });
  const both = (memory: number, disk: number, pids = 100): Observations => new Map([...seen("memory.available", memory), ...seen("nodefs.available", disk), ...seen("pid.available", pids, 100)]);
  test("a hard threshold is due at once, until what was to be reclaimed is free, and told of five minutes longer", () => {
    const history = new PressureHistory(thresholds, 300_000);
    expect(history.observe(both(200 * mib, gib), 0)).toEqual({ pressures: [], due: [] });
    expect(history.observe(both(90 * mib, gib), 1000)).toMatchObject({ pressures: ["MemoryPressure"], due: [{ signal: "memory.available" }] });
    expect(history.observe(both(120 * mib, gib), 2000).due).toHaveLength(1);
    expect(history.observe(both(160 * mib, gib), 3000)).toEqual({ pressures: ["MemoryPressure"], due: [] });
    expect(history.observe(both(160 * mib, gib), 301_999).pressures).toEqual(["MemoryPressure"]);
    expect(history.observe(both(160 * mib, gib), 302_000).pressures).toEqual([]);
  });
  test("a soft one is due when it has been met for its time", () => {
    const history = new PressureHistory(thresholds, 0);
    expect(history.observe(both(gib, 0), 0).due).toEqual([]);
    expect(history.observe(both(gib, gib), 30_000).due).toEqual([]);
    expect(history.observe(both(gib, 0), 40_000).due).toEqual([]);
    expect(history.observe(both(gib, 0), 100_000).due).toMatchObject([{ signal: "nodefs.available" }]);
  });
  test("memory comes first", () => expect(new PressureHistory(thresholds, 0).observe(both(0, gib, 1), 0).due.map(({ signal }) => signal)).toEqual(["memory.available", "pid.available"]));
});

describe("who goes first", () => {
  const using = (pod: Pod, used?: number): PodUsage => ({ pod, ...(used === undefined ? {} : { used }), containers: new Map() });
  const asks = (memory: string, priority = 0): [ResourceRequirements, Partial<PodSpec>] => [{ requests: { memory } }, { priority }];
  const order = (resource: "memory" | "pids", usages: PodUsage[]): string[] => rank(resource, usages).map(({ pod }) => pod.metadata.name!);
  test("memory: who exceeds its request, then by priority, then by how much", () => expect(order("memory", [
    using(podOf("modest", ...asks("500Mi")), 400 * mib), using(podOf("a bit over", ...asks("100Mi")), 150 * mib), using(podOf("important", ...asks("100Mi", 1000)), 900 * mib), using(podOf("far over", ...asks("100Mi")), 600 * mib), using(podOf("unknown")),
  ])).toEqual(["unknown", "far over", "a bit over", "important", "modest"]));
  test("processes: by priority, then by number", () => expect(order("pids", [using(podOf("few"), 3), using(podOf("many"), 300), using(podOf("important", {}, { priority: 10 }), 1000)])).toEqual(["many", "few", "important"]));

  test("a pod that has no part in what fills the disk stays; the others, and those short of memory, may go", () => {
    const [disk, memory] = parseThresholds({ hard: ["nodefs.available<5%", "memory.available<100Mi"], minimumReclaim: ["nodefs.available=5%"] }) as [Threshold, Threshold];
    const full = seen("nodefs.available", 2.4 * mib);
    expect([0, 10_000, mib - 1, mib, gib, undefined].map((used) => freesDisk(using(podOf("p"), used), disk, full))).toEqual([false, false, false, true, true, true]);
    expect(freesDisk(using(podOf("p"), 1), memory, seen("memory.available", 0))).toBe(true);
  });

  const disk: PodDisk = {
    containers: new Map([["main", { rootfs: { bytes: 100, inodes: 1 }, logs: { bytes: 10, inodes: 2 } }]]), ephemeral: { bytes: 1110, inodes: 33 },
    volumes: [{ name: "v", usage: { bytes: 1000, inodes: 30 }, ephemeral: true }, { name: "claimed", usage: { bytes: 5000, inodes: 50 }, ephemeral: false }],
  };
  test.each<[Signal, boolean, number]>([["nodefs.available", false, 1110], ["imagefs.available", false, 1110], ["nodefs.available", true, 1010], ["imagefs.available", true, 100], ["nodefs.inodesFree", false, 33], ["imagefs.inodesFree", true, 1]])(
    "disk that counts for %s, images apart: %p", (signal, dedicated, used) => expect(diskUsed(signal, disk, dedicated).used).toBe(used),
  );

  test("and what it is told", () => {
    const due = parseThresholds({ hard: ["memory.available<100Mi"] });
    expect(evictionMessage({ pod: podOf("p", { requests: { memory: "10Mi" } }), used: 20 * mib, containers: new Map([["main", 20 * mib]]) }, due, seen("memory.available", 50 * mib)))
      .toBe("The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. Container main was using 20Mi, request is 10Mi, has larger consumption of memory. ");
    expect(evictionMessage({ pod: podOf("p", {}, { resources: { requests: { memory: "1Mi" } } }), used: 20 * mib, containers: new Map() }, due, new Map())).toBe("The node was low on resource: memory. Pod p was using 20Mi, request is 1Mi, has larger consumption of memory. ");
    expect(evictionMessage({ pod: podOf("p"), used: 300, containers: new Map() }, parseThresholds({ hard: ["pid.available<10%"] }), seen("pid.available", 50, 1000))).toBe("The node was low on resource: pids. Threshold quantity: 100, available: 50. ");
  });
});

describe("limits of local storage", () => {
  const disk = (volume: number, rootfs = 0, logs = 0): PodDisk => ({
    containers: new Map([["main", { rootfs: { bytes: rootfs, inodes: 0 }, logs: { bytes: logs, inodes: 0 } }]]), volumes: [{ name: "v", usage: { bytes: volume, inodes: 0 }, ephemeral: true }], ephemeral: { bytes: volume + rootfs + logs, inodes: 0 },
  });
  const volumes = [{ name: "v", emptyDir: { sizeLimit: "1Mi" } }];
  const limited = { limits: { "ephemeral-storage": "2Mi" } };
  test.each<[string, Pod, PodDisk, boolean, string | undefined]>([
    ["volume within", podOf("p", {}, { volumes }), disk(mib), false, undefined],
    ["volume beyond", podOf("p", {}, { volumes }), disk(mib + 1), false, 'Usage of EmptyDir volume "v" exceeds the limit "1Mi". '],
    ["the pod beyond", podOf("p", limited), disk(mib, mib, 1), false, "Pod ephemeral local storage usage exceeds the total limit of containers 2Mi. "],
    ["one container beyond", podOf("p", limited, { containers: [{ name: "main", resources: limited }, { name: "b", resources: limited }] }), disk(0, 2 * mib, 1), false, 'Container main exceeded its local ephemeral storage limit "2Mi". '],
    ["its layer lies elsewhere", podOf("p", limited, { containers: [{ name: "main", resources: limited }, { name: "b", resources: limited }] }), disk(0, 2 * mib, 1), true, undefined],
    ["no limit", podOf("p"), disk(gib, gib), false, undefined],
  ])("%s", (_, pod, used, dedicated, expected) => expect(storageViolation(pod, used, dedicated)).toBe(expected as never));
  test("who is looked at", () => {
    expect([podOf("p"), podOf("p", {}, { volumes }), podOf("p", {}, { volumes: [{ name: "v", emptyDir: { medium: "Memory", sizeLimit: "1Mi" } }] })].map(limitsVolumes)).toEqual([false, true, false]);
    expect([podOf("p"), podOf("p", limited)].map(limitsContainers)).toEqual([false, true]);
  });
});

describe("a node", () => {
  let rootDir: string;
  beforeEach(() => {
    rootDir = mkdtempSync(join(tmpdir(), "skiff-eviction-"));
  });
  afterEach(() => rmSync(rootDir, { recursive: true }));
  const signal = new AbortController().signal;

  function nodeOf(pods: Pod[], memory: { available: number }, volumeBytes = 0) {
    const events: string[] = [], evicted: unknown[][] = [];
    let changes = 0;
    const recorder = { event: (about: { name?: string; metadata?: { name: string } }, _: string, reason: string, message: string) => events.push(`${about.name} ${reason}: ${message}`) } as unknown as EventRecorder;
    const clock = new FakeClock();
    const eviction = new Eviction({
      clock, log: logger("test"), recorder, nodeName: "node", rootDir, thresholds: parseThresholds({ hard: ["memory.available<100Mi"] }), pods: () => pods, onPressure: () => changes++, reclaimDisk: () => Promise.resolve(),
      runtime: { images: { imageFsInfo: () => Promise.resolve({}) } } as unknown as ContainerRuntime,
      stats: {
        node: () => ({ memory: { availableBytes: memory.available, capacityBytes: gib }, pids: { used: 1, most: 100 } }) as never,
        sample: () => Promise.resolve({ byPod: pods.map((pod, index) => ({ pod, usage: { memory: { workingSetBytes: (index + 1) * mib } }, containers: [] })) } as never),
      },
      disks: { volumes: () => Promise.resolve([{ name: "v", usage: { bytes: volumeBytes, inodes: 0 }, ephemeral: true }]) } as unknown as PodDisks,
      evict: (uid, verdict, graceSeconds) => {
        evicted.push([uid, verdict.message, graceSeconds]);
        pods.splice(pods.findIndex(({ metadata }) => metadata.uid === uid), 1);
        return Promise.resolve();
      },
    });
    return { eviction, events, evicted, clock, changes: () => changes };
  }

  test("short of memory ends one pod at a time, never a critical one, and takes no best-effort ones", async () => {
    const memory = { available: 50 * mib };
    const { eviction, events, evicted, changes } = nodeOf([podOf("small"), podOf("large"), podOf("critical", {}, { priority: 2_000_000_000 })], memory);
    expect([await eviction.look(signal), await eviction.look(signal), await eviction.look(signal)]).toEqual([true, true, false]);
    expect(evicted).toEqual(["large", "small"].map((name) => [name, "The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. ", 1]));
    expect(events.slice(0, 2)).toEqual(["node EvictionThresholdMet: Attempting to reclaim memory", "large Evicted: The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. "]);
    expect([eviction.pressures, changes()]).toEqual([["MemoryPressure"], 1]);
    expect(eviction.rejection(podOf("new"))).toEqual({ reason: "Evicted", message: "The node had condition: [MemoryPressure]. " });
    expect([podOf("burstable", { requests: { cpu: "1m" } }), podOf("critical", {}, { priority: 2_000_000_000 }), podOf("tolerant", {}, { tolerations: [{ key: "node.kubernetes.io/memory-pressure", operator: "Exists" }] })].map((pod) => eviction.rejection(pod))).toEqual([undefined, undefined, undefined]);
  });

  test("tells of pressure for five minutes after it has gone", async () => {
    const memory = { available: 50 * mib };
    const { eviction, clock } = nodeOf([], memory);
    await eviction.look(signal);
    memory.available = gib;
    await clock.advance(299_000);
    await eviction.look(signal);
    expect(eviction.pressures).toEqual(["MemoryPressure"]);
    await clock.advance(2000);
    await eviction.look(signal);
    expect(eviction.pressures).toEqual([]);
  });

  test("ends a pod that fills its volume", async () => {
    const { eviction, evicted } = nodeOf([podOf("hoarder", {}, { volumes: [{ name: "v", emptyDir: { sizeLimit: "1Mi" } }] }), podOf("other")], { available: gib }, 2 * mib);
    expect(await eviction.look(signal)).toBe(true);
    expect(evicted).toEqual([["hoarder", 'Usage of EmptyDir volume "v" exceeds the limit "1Mi". ', 1]]);
  });
});
