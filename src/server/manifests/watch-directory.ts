import { statSync, watch, type FSWatcher } from "node:fs";
import type { Clock } from "../../base/clock.ts";
import { logger } from "../../base/log.ts";

const log = logger("manifests");
/** Editors and copies write in several steps: files are read when nothing has changed for so long, in milliseconds. */
const settleMs = 300;
/** How often the directory is looked at while not every change can be seen. */
const lookMs = 15_000;

/** What a look came to: everything was seen; something may change unseen; the directory can't be read. */
export type Look = "complete" | "unwatched" | "failed";

/** Calls `look` at once, then whenever changes below a directory have settled, until `signal` aborts. A directory that is replaced by another is followed. */
export async function watchDirectory(directory: string, clock: Clock, look: () => Look, signal: AbortSignal): Promise<void> {
  const changes = changesOf(signal);
  let watched: Watched | undefined;
  for (let warned = false; !signal.aborted;) {
    if (watched && (watched.stale || watched.inode !== inodeOf(directory))) {
      watched.close();
      watched = undefined;
    }
    watched ??= watchTree(directory, changes.happened, !warned);
    const result = look();
    if (result === "failed") {
      watched?.close();
      watched = undefined;
    }
    warned = !watched;
    await changes.wait(clock, watched && result === "complete" ? undefined : lookMs);
    while (!signal.aborted && changes.take()) await clock.sleep(settleMs, signal).catch(() => undefined);
  }
  watched?.close();
}

interface Watched {
  inode: number | undefined;
  /** The directory itself has been taken away, or watching it has failed. */
  stale: boolean;
  close(): void;
}

function watchTree(directory: string, happened: () => void, warn: boolean): Watched | undefined {
  try {
    const watched: Watched = { inode: inodeOf(directory), stale: false, close: () => watcher.close() };
    const watcher: FSWatcher = watch(directory, { recursive: true }, (_, file) => {
      watched.stale ||= !file;
      happened();
    });
    watcher.on("error", (error) => {
      log.warn("Watching the manifests directory failed, it is begun anew", { directory, error });
      watched.stale = true;
      happened();
    });
    return watched;
  } catch (error) {
    if (warn) log.warn(`Changes of the manifests directory can't be watched (is it gone, or fs.inotify.max_user_watches too low?): it is looked at every ${lookMs / 1000} s`, { directory, error });
    return undefined;
  }
}

function inodeOf(directory: string): number | undefined {
  try {
    return statSync(directory, { throwIfNoEntry: false })?.ino;
  } catch {
    return undefined;
  }
}

/** Remembers that something has changed until it is taken. `signal` ends every wait. */
function changesOf(signal: AbortSignal): { happened(): void; take(): boolean; wait(clock: Clock, atMost?: number): Promise<void> } {
  let changed = false, wake = (): void => undefined;
  const happened = (): void => {
    changed = true;
    wake();
  };
  signal.addEventListener("abort", happened, { once: true });
  return {
    happened,
    take: () => changed && !(changed = false),
    async wait(clock, atMost) {
      if (changed || signal.aborted) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      const timer = new AbortController();
      if (atMost !== undefined) void clock.sleep(atMost, timer.signal).then(resolve, () => undefined);
      await promise;
      timer.abort();
    },
  };
}
