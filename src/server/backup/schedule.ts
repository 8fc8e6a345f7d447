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

/**
 * Takes backups by schedule until `signal` aborts. One that falls into a time when the server was off is taken after its start, several of them
 * once; one that fails is tried again, ever more seldom. While one place is away, the first goes on getting its backups, and what is newest is copied in the end.
 */
export async function runBackupSchedule(dependencies: ScheduleDependencies, signal: AbortSignal): Promise<void> {
  const { schedule, clock, recorder, about, stores: [first] } = dependencies;
  const zone = zoneOf(schedule.zone ?? "Local"), measured = dependencies.metrics;
  const sleep = (ms: number): Promise<boolean> => clock.sleep(ms, signal).then(() => true, () => false);
  const found = await first.list().then((backups) => newestScheduled(backups, dependencies.nodeName), (error: unknown) => log.warn("Backups there are could not be listed", { error }));
  if (found) measured.found(found.at);
  tellUnreadable(dependencies);
  let since = found?.at ?? clock.now();
  let attempt = newAttempt(dependencies);
  if (!(await sleep(afterStartMs))) return;
  for (let failures = 0; !signal.aborted;) {
    // A backup from the future was taken by a clock that was wrong.
    since = Math.min(since, clock.now());
    const due = nextTime(schedule, since, zone) ?? Infinity;
    if (due > clock.now()) {
      if (!(await sleep(Math.min(due - clock.now(), lookMs)))) return;
      continue;
    }
    try {
      const { name, bytes, state: { revision } } = await attempt.go();
      since = clock.now();
      failures = 0;
      measured.taken(since, bytes);
      attempt = newAttempt(dependencies);
      log.info("A backup was taken by schedule", { name, bytes, revision });
    } catch (error) {
      if (signal.aborted) return;
      const reason = error instanceof UsageError ? error.message : String((error as Error).message ?? error);
      measured.failed();
      recorder.event(about, "Warning", "BackupFailed", `The backup could not be taken: ${reason}`);
      log.error("A backup by schedule failed; it is tried again", { reason });
      if (!(await sleep(Math.min(firstRetryMs * 2 ** failures++, longestRetryMs)))) return;
      // A bucket that is away for days keeps no newer backup from the disk here.
      if (attempt.takenAt !== undefined && (nextTime(schedule, attempt.takenAt, zone) ?? Infinity) <= clock.now()) attempt = newAttempt(dependencies);
    }
  }
}

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

interface Attempt {
  /** Called again after a failure, it goes on where that came. */
  go(): Promise<TakenBackup>;
  /** When the first place had it. */
  takenAt?: number;
}

/** A backup and its copies. Each place is rid of what is beyond the retention once it has the new one. */
function newAttempt({ create, clock, nodeName, passphraseFile, retention: keep, stores }: ScheduleDependencies): Attempt {
  const [first, ...others] = stores, left = [...others];
  let taken: TakenBackup | undefined;
  const pruned = (store: BackupStore, made: string): Promise<unknown> => prune(store, { occasion: "scheduled", nodeName, keep, made });
  const attempt: Attempt = {
    async go() {
      if (!taken) {
        // Before there is a backup that nobody reads.
        const passphrase = passphraseFile ? { passphrase: passphraseIn(passphraseFile) } : {};
        taken = await takeBackup({ backup: create(), store: first, occasion: "scheduled", nodeName, at: clock.now(), ...passphrase });
        attempt.takenAt = clock.now();
      }
      await pruned(first, taken.name);
      for (; left.length > 0; left.shift()) {
        await left[0]!.put(taken.name, first.open(taken.name), { replace: true });
        await pruned(left[0]!, taken.name);
      }
      return taken;
    },
  };
  return attempt;
}

export function backupMetrics(metrics: MetricsRegistry) {
  const success = metrics.gauge({ name: "skiff_backup_last_success_timestamp_seconds", help: "When the newest backup was taken by schedule, in seconds since the epoch." });
  const size = metrics.gauge({ name: "skiff_backup_last_size_bytes", help: "Size of the newest backup taken by schedule." });
  const total = metrics.counter({ name: "skiff_backups_total", help: "Backups taken by schedule, and attempts that failed.", labels: ["result"] });
  return {
    found: (at: number) => success.set(at / 1000),
    taken(at: number, bytes: number) {
      success.set(at / 1000);
      size.set(bytes);
      total.inc(["success"]);
    },
    failed: () => total.inc(["failure"]),
  };
}
