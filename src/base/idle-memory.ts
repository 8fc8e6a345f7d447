import { unmapCleanPages } from "./clean-pages.ts";
import type { Clock } from "./clock.ts";

/** What is read of the process, and done to it. */
export interface ProcessMemory {
  /** Bytes. */
  rss(): number;
  /** Milliseconds of CPU used so far, by all threads. */
  cpu(): number;
  /** Gives back what isn't needed: garbage, compiled code (compiled again where it runs again), free pages of the allocators. Goes on after the call. */
  shrink(): void;
  /** Takes out what is mapped of executables, to be mapped again where it is needed. */
  unmap(): void;
}

const lookMs = 20_000;
/** Shrinking is done by then, and its own code is not needed any more. */
const shrinkMs = 3000;
/** Busier than this share of a core, a process needs its compiled code and makes new garbage at once. */
const idleShare = 0.2;
/** Less growth is no reason to compile everything again. */
const worthBytes = 10 * 2 ** 20;

export const ownMemory: ProcessMemory = {
  rss: () => process.memoryUsage.rss(),
  cpu: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
  shrink: () => Bun.shrink(),
  unmap: unmapCleanPages,
};

/**
 * Returns memory to the system when the process has come to rest, after its start and after each burst of work: the runtime by itself
 * keeps most of what a burst took. Memory that stays in use is no reason to try again.
 */
export async function returnIdleMemory({ clock, memory = ownMemory }: { clock: Clock; memory?: ProcessMemory }, signal: AbortSignal): Promise<void> {
  let settled = 0, shrunk = false, at = clock.monotonic(), cpu = memory.cpu();
  const sleep = (ms: number): Promise<boolean> => clock.sleep(ms, signal).then(() => true, () => false);
  while (await sleep(lookMs)) {
    const share = (memory.cpu() - cpu) / (clock.monotonic() - at);
    at = clock.monotonic();
    cpu = memory.cpu();
    const rss = memory.rss();
    // The look after a shrink sees what is really in use; pages go back to the system a little later than the call.
    settled = shrunk ? rss : Math.min(settled, rss);
    shrunk = share < idleShare && rss > settled + worthBytes;
    if (!shrunk) continue;
    memory.shrink();
    if (await sleep(shrinkMs)) memory.unmap();
  }
}
