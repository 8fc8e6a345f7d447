import type { Clock } from "../../base/clock.ts";
import { logger } from "../../base/log.ts";

const log = logger("cacher");

/** As long a read waits to learn how new it must be: an election of etcd's takes about a second. */
const patienceMs = 2000;
const againMs = 1000;

/**
 * Knows whether a cache shows all that was written, by other servers too, before a moment (KEP-2340). When the storage doesn't tell, as an etcd
 * without a majority doesn't, reads go on with what the cache has, without each of them waiting again, until the storage answers.
 */
export class Freshness {
  #asking: Promise<void> | undefined;
  constructor(private readonly dependencies: { latest: () => Promise<number>; reached: (revision: number, signal: AbortSignal) => Promise<void>; clock: Clock; closed: AbortSignal }) {}

  /** Set while the storage doesn't tell what is newest. */
  get lost(): boolean {
    return this.#asking !== undefined;
  }

  /** Resolves when the cache is up to date, true, or when that can't be known now, false. */
  async settle(): Promise<boolean> {
    if (this.#asking) return false;
    const { latest, reached, clock, closed } = this.dependencies;
    const enough = new AbortController();
    const known = latest().then((revision) => reached(revision, enough.signal)).then(() => true);
    // Its failure is told by the questions below.
    known.catch(() => {});
    try {
      return await Promise.race([known, clock.sleep(patienceMs, AbortSignal.any([enough.signal, closed])).then(() => {
        throw new Error(`no answer within ${patienceMs} ms`);
      })]);
    } catch (error) {
      if (closed.aborted) throw error;
      this.#asking ??= this.#askOn(error);
      return false;
    } finally {
      enough.abort();
    }
  }

  async #askOn(error: unknown): Promise<void> {
    const { latest, reached, clock, closed } = this.dependencies;
    log.warn("The storage doesn't tell what is newest: reads are answered with what was known last", { error });
    while (!closed.aborted) {
      try {
        await reached(await latest(), closed);
        break;
      } catch {
        await clock.sleep(againMs, closed).catch(() => {});
      }
    }
    this.#asking = undefined;
    if (!closed.aborted) log.info("The storage tells what is newest again");
  }
}
