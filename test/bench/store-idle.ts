import { mkdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { TestSkiff } from "../support/skiff.ts";
import { datastoreMetrics } from "../../src/server/datastore/metrics.ts";
import type { Row } from "./measure.ts";
import { figuresOf } from "./process-figures.ts";
import type { StoreMeasure } from "./store-measure.ts";

const day = 86_400;

/**
 * What a server with a node and no pods writes in a day in which nobody asks for anything. All its files (and containerd's, and the logs) lie on
 * an ext4 file system of their own, whose block device counts what reaches it: metadata and the file system's journal included.
 */
export const measureStoreIdle: StoreMeasure = async ({ quick, executable, signal }) => {
  using device = ext4In(tmpdir());
  // Where TestSkiff makes its directory.
  process.env["TMPDIR"] = device.mountPoint;
  const skiff = new TestSkiff({ executable });
  try {
    await skiff.start();
    await setTimeout(quick ? 10_000 : 180_000, undefined, { signal });
    const seconds = quick ? 30 : 720, look = async (): Promise<Figures> => ({ device: device.writtenBytes(), server: figuresOf(skiff.pid).writtenBytes, containerd: figuresOf(skiff.containerdPid()).writtenBytes, database: await databaseBytes(skiff) });
    const before = await look();
    await setTimeout(seconds * 1000, undefined, { signal });
    const after = await look();
    const perDay = (what: string, figure: keyof Figures, note: string): Row => ({ what, values: [(after[figure] - before[figure]) * day / seconds / 1e6], unit: "MB", note: `${note}; over ${seconds} s` });
    return [
      perDay("written in an idle day, block device", "device", "ext4 with its journal; server, containerd and logs"),
      perDay("written in an idle day, the server's pages of files", "server", "/proc/PID/io"),
      perDay("written in an idle day, containerd's pages of files", "containerd", "/proc/PID/io"),
      perDay("written in an idle day, database", "database", `file level, ${datastoreMetrics.written}`),
    ];
  } finally {
    skiff.dispose();
  }
};

interface Figures {
  device: number;
  server: number;
  containerd: number;
  database: number;
}

async function databaseBytes(skiff: TestSkiff): Promise<number> {
  const metrics = await skiff.kubectl("get", "--raw", "/metrics");
  return Number(new RegExp(`^${datastoreMetrics.written} (\\S+)$`, "m").exec(metrics)?.[1] ?? NaN);
}

interface CountingDevice extends Disposable {
  mountPoint: string;
  /** After all that is due has been written. */
  writtenBytes(): number;
}

/** A file system in a file, on a loop device. */
function ext4In(directory: string): CountingDevice {
  const image = join(directory, "image"), mountPoint = join(directory, "mnt");
  mkdirSync(mountPoint);
  // What is initialized later would be counted.
  for (const command of [["truncate", "-s", "3G", image], ["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", image], ["mount", "-o", "loop", image, mountPoint]]) run(command);
  const { dev } = statSync(mountPoint);
  const name = readlinkSync(`/sys/dev/block/${dev >> 8}:${dev & 0xff}`).split("/").at(-1)!;
  return {
    mountPoint,
    writtenBytes() {
      run(["sync", "--file-system", mountPoint]);
      // Source: Documentation/block/stat.rst, the 7th field, in sectors of 512 bytes whatever the device's are.
      return Number(readFileSync(`/sys/class/block/${name}/stat`, "utf8").trim().split(/\s+/)[6]) * 512;
    },
    [Symbol.dispose]: () => run(["umount", mountPoint]),
  };
}

function run(command: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(command);
  if (exitCode !== 0) throw new Error(`${command.join(" ")} failed: ${stderr.toString()}`);
}
