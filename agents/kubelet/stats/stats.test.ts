import { afterAll, describe, expect, test } from "bun:test";
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { openCgroupReader } from "./cgroup-usage.ts";
import { diskUsage } from "./disk-usage.ts";
import { exposition } from "./exposition.ts";
import { defaultInterface, parseNetDev } from "./network-usage.ts";
import { readNodeUsage } from "./node-usage.ts";
import { parsePressure } from "./pressure.ts";

const root = mkdtempSync(join(tmpdir(), "skiff-stats-"));
afterAll(() => rmSync(root, { recursive: true }));

function write(files: Readonly<Record<string, string>>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), content);
  }
}

const pressure = "some avg10=1.50 avg60=0.25 avg300=0.00 total=2000000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1000\n";

describe("a control group", () => {
  test("of version 2", () => {
    write({
      "v2/pods/a/cpu.stat": "usage_usec 5000\nuser_usec 4000\nnr_periods 10\nnr_throttled 3\nthrottled_usec 7\n", "v2/pods/a/memory.current": "1000\n", "v2/pods/a/memory.max": "max\n",
      "v2/pods/a/memory.stat": "anon 400\nfile 500\nfile_mapped 30\ninactive_file 300\npgfault 9\npgmajfault 2\n", "v2/pods/a/memory.swap.current": "64\n", "v2/pods/a/memory.swap.max": "128\n",
      "v2/pods/a/pids.current": "4\n", "v2/pods/a/cpu.pressure": pressure, "v2/pods/a/memory.pressure": pressure, "v2/pods/a/io.pressure": pressure, "v2/pods/a/cgroup.procs": "12\n13\n",
    });
    const reader = openCgroupReader(2, join(root, "v2"));
    expect(reader.usage("/pods/a")).toMatchObject({
      cpuNanoseconds: 5_000_000, throttling: { periods: 10, throttledPeriods: 3, throttledNanoseconds: 7000 }, processes: 4, pressure: { cpu: { some: { total: 2_000_000_000, avg10: 1.5 } } },
      memory: { usageBytes: 1000, workingSetBytes: 700, rssBytes: 400, cacheBytes: 500, mappedFileBytes: 30, pageFaults: 9, majorPageFaults: 2, limitBytes: undefined, swapBytes: 64, swapLimitBytes: 128 },
    });
    expect(reader.processes("/pods/a")).toEqual([12, 13]);
    expect(reader.usage("/pods/gone")).toBeUndefined();
  });

  test("of version 1", () => {
    write({
      "v1/cpuacct/a/cpuacct.usage": "77\n", "v1/cpu/a/cpu.stat": "nr_periods 1\nnr_throttled 0\nthrottled_time 0\n", "v1/memory/a/memory.usage_in_bytes": "1000\n", "v1/pids/a/pids.current": "2\n", "v1/memory/a/memory.limit_in_bytes": "4096\n", "v1/memory/a/memory.memsw.limit_in_bytes": "9223372036854771712\n",
      "v1/memory/a/memory.stat": "cache 1\ninactive_file 1\nhierarchical_memory_limit 2048\ntotal_cache 600\ntotal_rss 300\ntotal_mapped_file 20\ntotal_swap 0\ntotal_pgfault 5\ntotal_pgmajfault 1\ntotal_inactive_file 250\n",
    });
    expect(openCgroupReader(1, join(root, "v1")).usage("/a")).toEqual({
      cpuNanoseconds: 77, throttling: { periods: 1, throttledPeriods: 0, throttledNanoseconds: 0 }, processes: 2,
      memory: { usageBytes: 1000, workingSetBytes: 750, rssBytes: 300, cacheBytes: 600, mappedFileBytes: 20, pageFaults: 5, majorPageFaults: 1, limitBytes: 4096, swapBytes: 0, swapLimitBytes: undefined },
    });
  });
});

test("pressure where the kernel has none", () => {
  expect(parsePressure(undefined)).toBeUndefined();
  // Before Linux 5.13 a system's CPU had no line of tasks that all stalled.
  expect(parsePressure("some avg10=0.00 avg60=0.00 avg300=0.00 total=5\n")).toMatchObject({ some: { total: 5000 }, full: { total: 0 } });
});

test("the machine's memory is what is in use less the cache that can go", () => {
  write({
    "proc/meminfo": "MemTotal:  1000 kB\nMemFree:  400 kB\nInactive(file):  100 kB\nAnonPages:  250 kB\nSwapTotal:  50 kB\nSwapFree:  20 kB\n", "proc/vmstat": "pgfault 8\npgmajfault 3\n",
    "proc/stat": "cpu  10 1 5 900 50 2 3 4 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n", "proc/loadavg": "0.1 0.2 0.3 2/321 999\n", "proc/sys/kernel/pid_max": "4194304\n", "proc/sys/kernel/threads-max": "9999\n",
  });
  expect(readNodeUsage(join(root, "proc"))).toEqual({
    cpuNanoseconds: 25e7, pids: { used: 321, most: 9999 },
    memory: { capacityBytes: 1_024_000, usageBytes: 614_400, workingSetBytes: 512_000, availableBytes: 512_000, rssBytes: 256_000, pageFaults: 8, majorPageFaults: 3, swapCapacityBytes: 51_200, swapUsedBytes: 30_720 },
  });
});

test("interfaces", () => {
  const text = "Inter-|   Receive  | Transmit\n face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs drop fifo colls carrier compressed\n    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n  eth0:100 10 1 2 0 0 0 0 200 20 3 4 0 0 0 0\n";
  expect(parseNetDev(text)).toEqual([{ name: "eth0", rxBytes: 100, rxPackets: 10, rxErrors: 1, rxDropped: 2, txBytes: 200, txPackets: 20, txErrors: 3, txDropped: 4 }]);
  expect(defaultInterface("Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\nwlan0\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\nwlan0\t0002A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\n")).toBe("wlan0");
});

test("a directory is counted as du does: blocks, hard links once, links not followed", async () => {
  const directory = join(root, "tree");
  write({ "tree/a/one": "x".repeat(5000), "tree/two": "y", "elsewhere": "z".repeat(100_000) });
  linkSync(join(directory, "two"), join(directory, "a/also-two"));
  symlinkSync(join(root, "elsewhere"), join(directory, "link"));
  const counted = await diskUsage(directory);
  const du = Bun.spawnSync(["du", "-s", "--block-size=1", directory]).stdout.toString();
  expect(counted).toEqual({ bytes: Number(du.split("\t")[0]), inodes: 5 });
  expect(await diskUsage(join(root, "missing"))).toEqual({ bytes: 0, inodes: 0 });
});

test("the text format", () => {
  const family = (name: string, points: Parameters<typeof exposition>[0][number]["points"]) => ({ name, help: "h", type: "gauge" as const, points });
  expect(exposition([family("a", [{ labels: { x: 'q"\\\n' }, value: 1.5, at: 7 }, { value: 2 }]), family("b", [])])).toBe('# HELP a h\n# TYPE a gauge\na{x="q\\"\\\\\\n"} 1.5 7\na 2\n');
});
