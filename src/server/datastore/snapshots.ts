import { createReadStream, existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { mkdir, open, rename } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { synced } from "../../base/files.ts";
import { logger } from "../../base/log.ts";
import { type SnapshotContents, readSnapshot } from "../../storage/snapshot/read-snapshot.ts";
import { writeSnapshot } from "../../storage/snapshot/write-snapshot.ts";
import type { Storage } from "../../storage/storage.ts";

const log = logger("snapshots");

/** How often the state is written aside. */
export interface SnapshotPolicy {
  keep: number;
  /** The first after a start, in milliseconds: a new cluster must not be without for long. */
  firstMs: number;
  leastMs: number;
  mostMs: number;
  /** What snapshots may cost the disk: large ones are made less often. */
  bytesPerDay: number;
}

const minute = 60_000, day = 24 * 60 * minute;
export const defaultSnapshotPolicy: SnapshotPolicy = { keep: 2, firstMs: 2 * minute, leastMs: 15 * minute, mostMs: day, bytesPerDay: 20 * 1024 * 1024 };

/** How long to wait after a snapshot of so many bytes. */
export const pauseAfter = (bytes: number, { leastMs, mostMs, bytesPerDay }: SnapshotPolicy): number => Math.min(mostMs, Math.max(leastMs, (bytes / bytesPerDay) * day));

export interface SnapshotFile {
  file: string;
  /** The state is that of this revision. */
  revision: number;
  bytes: number;
  /** When it was made: milliseconds since the epoch, by a clock that may have been wrong. */
  at: number;
}

/** Whole ones and damaged ones, the newest first. */
export function listSnapshots(directory: string): SnapshotFile[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory).flatMap((name) => {
    const revision = Number(/^(\d+)\.snapshot$/.exec(name)?.[1]);
    const file = join(directory, name);
    if (!Number.isSafeInteger(revision)) return [];
    // A server that runs may have removed it meanwhile.
    const found = statSync(file, { throwIfNoEntry: false });
    return found ? [{ file, revision, bytes: found.size, at: found.mtimeMs }] : [];
  }).toSorted((a, b) => b.revision - a.revision);
}

/** The newest one that is whole, and what is wrong with those passed over. */
export async function newestGoodSnapshot(directory: string): Promise<{ good?: SnapshotFile & SnapshotContents; problems: string[] }> {
  const problems: string[] = [];
  for (const candidate of listSnapshots(directory)) {
    try {
      return { good: { ...candidate, ...await readSnapshot(createReadStream(candidate.file), () => undefined) }, problems };
    } catch (error) {
      problems.push(`${candidate.file} ${(error as Error).message}`);
    }
  }
  return { problems };
}

export interface SnapshotsDependencies {
  directory: string;
  /** What is written as it lies there: what is encrypted stays so. */
  storage: Storage;
  clock: Clock;
  /** Who writes. */
  by: string;
  policy?: SnapshotPolicy;
}

/** Snapshots of the state beside the database, for when that is damaged. The newest `keep` stay. */
export class Snapshots {
  #revision: number | undefined;
  #bytes = 0;
  #making: Promise<void> | undefined;
  readonly #policy: SnapshotPolicy;

  constructor(private readonly dependencies: SnapshotsDependencies) {
    this.#policy = dependencies.policy ?? defaultSnapshotPolicy;
    const [newest] = listSnapshots(dependencies.directory);
    this.#revision = newest?.revision;
    this.#bytes = newest?.bytes ?? 0;
  }

  /** Of the newest; undefined before there is one. */
  get revision(): number | undefined {
    return this.#revision;
  }

  /** Makes one, then drops what is older than the newest `keep`. Together with one that is being made, it is that one. */
  make(): Promise<void> {
    return (this.#making ??= this.#make().finally(() => (this.#making = undefined)));
  }

  /** Leaves none that was made before. */
  async renew(): Promise<void> {
    await this.#making;
    const old = listSnapshots(this.dependencies.directory);
    await this.make();
    for (const { file } of old) if (file !== this.#fileOf(this.#revision!)) rmSync(file, { force: true });
  }

  /** Makes one whenever there is something new to keep, until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, storage } = this.dependencies;
    let pause = this.#policy.firstMs;
    while (await clock.sleep(pause, signal).then(() => true, () => false)) {
      try {
        const { durableRevision } = await storage.status();
        if (this.#revision === undefined || durableRevision > this.#revision) await this.make();
      } catch (error) {
        if (signal.aborted) return;
        log.warn("The state could not be written aside; it is tried again", { error });
      }
      pause = pauseAfter(this.#bytes, this.#policy);
    }
  }

  async #make(): Promise<void> {
    const { directory, storage, by, clock } = this.dependencies;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const unfinished = join(directory, "unfinished");
    const file = await open(unfinished, "w", 0o600);
    let written: { revision: number; bytes: number };
    try {
      written = await writeSnapshot(storage, async (bytes) => file.appendFile(bytes), { by, at: clock.now() });
      await file.sync();
    } catch (error) {
      rmSync(unfinished, { force: true });
      throw error;
    } finally {
      await file.close();
    }
    await rename(unfinished, this.#fileOf(written.revision));
    await synced(directory);
    this.#revision = written.revision;
    this.#bytes = written.bytes;
    for (const { file: old } of listSnapshots(directory).slice(this.#policy.keep)) rmSync(old, { force: true });
  }

  #fileOf(revision: number): string {
    return join(this.dependencies.directory, `${revision}.snapshot`);
  }
}
