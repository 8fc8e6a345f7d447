import { nextTime } from "../../controllers/cronjob/next-time.ts";
import { zoneOf } from "../../controllers/cronjob/zone.ts";
import type { Schedule } from "../../apis/batch/cron-schedule.ts";
import type { ObjectReference } from "../../apis/generated/core/v1.ts";
import type { Clock } from "../../base/clock.ts";
import { logger } from "../../base/log.ts";
import type { MetricsRegistry } from "../../base/metrics.ts";
import type { EventRecorder } from "../../client/recorder.ts";
import { UsageError } from "../settings.ts";
import type { Backup } from "./backup.ts";
import { type BackupStore, newestScheduled } from "./store.ts";
import { passphraseIn, prune, takeBackup, type TakenBackup } from "./take-backup.ts";

const log = logger("backup");

const minute = 60_000;
/** One that was missed waits until a start is over, which has work enough. */
const afterStartMs = minute;
/** How soon it is noticed that the clock was set. */
const lookMs = 10 * minute;
const firstRetryMs = minute, longestRetryMs = 60 * minute;

export interface ScheduleDependencies {
  schedule: Schedule;
  retention: number;
  passphraseFile?: string;
  stores: readonly [BackupStore, ...BackupStore[]];
  nodeName: string;
  create(): Backup;
  /** Hears of failures, by Events about `about`. */
  recorder: EventRecorder;
  about: ObjectReference;
  metrics: ReturnType<typeof backupMetrics>;
  clock: Clock;
}

/** One of the places where backups go, and how it stands with it. */
interface Place {
  store: BackupStore;
  /** In messages and metrics. */
  name: string;
  /** From when on the next one is due by the schedule. */
  since: number;
  /** The newest one there that can be read, as far as is known. */
  newest?: string;
  /** Since one succeeded. */
  failures: number;
  /** By the monotonic clock. */
  notBefore: number;
}

/**
 * Takes backups by schedule until `signal` aborts, for each place on its own. One that falls into a time when the server was off, or the place away,
 * is taken after it, several of them once; one that fails is tried again, ever more seldom. A place gets a copy of what one before it has that is
 * not due again yet.
 */
export async function runBackupSchedule(dependencies: ScheduleDependencies, signal: AbortSignal): Promise<void> {
  const { schedule, clock, stores } = dependencies;
  const zone = zoneOf(schedule.zone ?? "Local");
  const sleep = (ms: number): Promise<boolean> => clock.sleep(ms, signal).then(() => true, () => false);
  const places = await Promise.all(stores.map((store) => placeOf(store, dependencies)));
  const untilDue = (place: Place): number => {
    // A backup from the future was taken by a clock that was wrong.
    place.since = Math.min(place.since, clock.now());
    return (nextTime(schedule, place.since, zone) ?? Infinity) - clock.now();
  };
  const wait = (place: Place): number => Math.max(untilDue(place), place.notBefore - clock.monotonic(), 0);
  tellUnreadable(dependencies);
  if (!(await sleep(afterStartMs))) return;
  while (!signal.aborted) {
    for (const [index, place] of places.entries()) {
      if (signal.aborted) return;
      if (wait(place) === 0) await attempt(place, places.slice(0, index).find((each) => each.newest !== undefined && untilDue(each) > 0), dependencies, signal);
    }
    const ms = Math.min(lookMs, ...places.map(wait));
    if (ms > 0 && !(await sleep(ms))) return;
  }
}

async function placeOf(store: BackupStore, { nodeName, metrics, clock }: ScheduleDependencies): Promise<Place> {
  const name = store.locate("");
  const found = await store.list().then((backups) => newestScheduled(backups, nodeName), (error: unknown) => log.warn("Backups there are could not be listed", { place: name, error }));
  if (found) metrics.found(name, found.at);
  return { store, name, since: found?.at ?? clock.now(), ...(found ? { newest: found.name } : {}), failures: 0, notBefore: 0 };
}

/** Takes a backup into a place, or copies the one that `other` has, and then rids the place of what is beyond the retention. */
async function attempt(place: Place, other: Place | undefined, dependencies: ScheduleDependencies, signal: AbortSignal): Promise<void> {
  const { clock, recorder, about, metrics, nodeName, retention: keep } = dependencies;
  try {
    const { name, bytes } = other ? await copy(other, place) : await take(place, dependencies);
    Object.assign(place, { since: clock.now(), newest: name, failures: 0 });
    metrics.taken(place.name, place.since, bytes);
    log.info("A backup was taken by schedule", { place: place.name, name, bytes });
  } catch (error) {
    if (signal.aborted) return;
    const reason = reasonOf(error);
    place.notBefore = clock.monotonic() + Math.min(firstRetryMs * 2 ** place.failures++, longestRetryMs);
    metrics.failed(place.name);
    recorder.event(about, "Warning", "BackupFailed", `The backup into ${place.name} failed: ${reason}`);
    log.error("A backup by schedule failed; it is tried again", { place: place.name, reason });
    return;
  }
  await prune(place.store, { occasion: "scheduled", nodeName, keep, made: place.newest! }).catch((error: unknown) => {
    const reason = reasonOf(error);
    recorder.event(about, "Warning", "BackupsNotDeleted", `Old backups in ${place.name} could not be deleted: ${reason}`);
    log.error("Old backups could not be deleted", { place: place.name, reason });
  });
}

async function take({ store }: Place, { create, nodeName, clock, passphraseFile }: ScheduleDependencies): Promise<Pick<TakenBackup, "name" | "bytes">> {
  // Read first: a backup that nobody reads stays in memory.
  const passphrase = passphraseFile ? passphraseIn(passphraseFile) : undefined;
  return takeBackup({ backup: create(), store, occasion: "scheduled", nodeName, at: clock.now(), ...(passphrase === undefined ? {} : { passphrase }) });
}

async function copy(from: Place, to: Place): Promise<Pick<TakenBackup, "name" | "bytes">> {
  const name = from.newest!;
  async function* content(): AsyncGenerator<Uint8Array> {
    try {
      yield* from.store.open(name) as unknown as AsyncIterable<Uint8Array>;
    } catch (error) {
      // The next attempt takes one of its own.
      delete from.newest;
      throw error;
    }
  }
  return { name, bytes: await to.store.put(name, new Response(content()).body!, { replace: true }) };
}

const reasonOf = (error: unknown): string => (error instanceof UsageError ? error.message : String((error as Error).message ?? error));

/** Now, and not in the night, when the first backup fails for it. */
function tellUnreadable({ passphraseFile, recorder, about }: ScheduleDependencies): void {
  try {
    if (passphraseFile) passphraseIn(passphraseFile);
  } catch (error) {
    const reason = (error as UsageError).message;
    recorder.event(about, "Warning", "BackupFailed", `Backups can't be taken: ${reason}`);
    log.error("Backups can't be taken as things are", { reason });
  }
}

export function backupMetrics(metrics: MetricsRegistry) {
  const labels = ["place"];
  const success = metrics.gauge({ name: "skiff_backup_last_success_timestamp_seconds", help: "When the newest backup in a place was taken by schedule, in seconds since the epoch.", labels });
  const size = metrics.gauge({ name: "skiff_backup_last_size_bytes", help: "Size of the newest backup taken by schedule.", labels });
  const total = metrics.counter({ name: "skiff_backups_total", help: "Backups taken by schedule, and attempts that failed.", labels: [...labels, "result"] });
  return {
    found: (place: string, at: number) => success.set(at / 1000, [place]),
    taken(place: string, at: number, bytes: number) {
      success.set(at / 1000, [place]);
      size.set(bytes, [place]);
      total.inc([place, "success"]);
    },
    failed: (place: string) => total.inc([place, "failure"]),
  };
}
