import { lstat, opendir } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../../src/base/clock.ts";

/** What files below a directory take on disk. */
export interface DiskUsage {
  bytes: number;
  inodes: number;
}

/** Counts a directory like `du -x`: blocks in use, hard links once, no other file system. What goes away meanwhile is not counted. */
export async function diskUsage(directory: string): Promise<DiskUsage> {
  const usage: DiskUsage = { bytes: 0, inodes: 0 };
  const root = await lstat(directory).catch(() => undefined);
  if (!root) return usage;
  const linked = new Set<number>();
  const waiting = [directory];
  const count = ({ blocks, nlink, ino }: { blocks: number; nlink: number; ino: number }): void => {
    if (linked.has(ino)) return;
    if (nlink > 1) linked.add(ino);
    usage.bytes += blocks * 512;
    usage.inodes++;
  };
  count(root);
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const name of await namesIn(next)) {
      const path = join(next, name);
      const stat = await lstat(path).catch(() => undefined);
      if (!stat || stat.dev !== root.dev) continue;
      count(stat);
      if (stat.isDirectory()) waiting.push(path);
    }
  }
  return usage;
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    const names: string[] = [];
    for await (const { name } of await opendir(directory)) names.push(name);
    return names;
  } catch {
    return [];
  }
}

/** As long as Kubernetes keeps such figures (volumeStatsAggPeriod): counting reads every inode. */
const keepMs = 60_000;

/** Counts each directory once a minute at most, and only when somebody asks. Directories are counted one after the other, to be easy on slow disks. */
export class DiskUsages {
  readonly #known = new Map<string, { at: number; usage: Promise<DiskUsage> }>();
  #last: Promise<unknown> = Promise.resolve();
  constructor(private readonly clock: Clock) {}

  of(directory: string): Promise<DiskUsage> {
    const now = this.clock.monotonic();
    const known = this.#known.get(directory);
    if (known && now - known.at < keepMs) return known.usage;
    const usage = this.#last.then(() => diskUsage(directory));
    this.#last = usage.catch(() => undefined);
    this.#known.set(directory, { at: now, usage });
    for (const [path, { at }] of this.#known) if (now - at >= keepMs) this.#known.delete(path);
    return usage;
  }
}
