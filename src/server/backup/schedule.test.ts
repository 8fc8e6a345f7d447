import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../../../test/support/eventually.ts";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { parseSchedule } from "../../apis/batch/cron-schedule.ts";
import { createMetrics } from "../../base/metrics.ts";
import { UsageError } from "../settings.ts";
import type { Backup } from "./backup.ts";
import { directoryStore } from "./directory-store.ts";
import { backupMetrics, runBackupSchedule } from "./schedule.ts";
import type { BackupStore } from "./store.ts";

let root: string, directory: string, stop: AbortController;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "skiff-schedule-"));
  directory = join(root, "first");
  mkdirSync(directory);
  stop = new AbortController();
});
afterEach(() => {
  stop.abort();
  rmSync(root, { recursive: true, force: true });
});

const minute = 60_000, hour = 60 * minute;

function start({ clock = new FakeClock(), stores = [directoryStore(directory)], retention = 3, passphraseFile }: { clock?: FakeClock; stores?: [BackupStore, ...BackupStore[]]; retention?: number; passphraseFile?: string } = {}) {
  const metrics = createMetrics(), events: string[] = [];
  let made = 0;
  const create = (): Backup => ({ archive: new Blob([`backup ${++made}`]).stream(), summary: () => ({ revision: made, records: 1, bytes: 1 }) });
  const done = runBackupSchedule({
    schedule: parseSchedule("TZ=UTC 0 3 * * *"), retention, stores, nodeName: "node-1", create, metrics: backupMetrics(metrics), clock, ...(passphraseFile ? { passphraseFile } : {}),
    recorder: { event: (_, type, reason, message) => void events.push(`${type} ${reason} ${message}`) }, about: { kind: "Node", name: "node-1" },
  }, stop.signal);
  return { clock, events, done, metric: (name: string, { place = directory, more = "" } = {}) => Number(new RegExp(`^${name}\\{place="${place}"${more}\\} (.*)$`, "m").exec(metrics.render())?.[1]), made: () => made };
}

const names = (of = directory): string[] => readdirSync(of).sort();
const contents = (of: string): string[] => names(of).map((name) => readFileSync(join(of, name), "utf8"));

/** A place that can be away, and begins so. */
function mayBeAway(path: string) {
  const real = directoryStore(path), place = { path, away: true, store: {} as BackupStore };
  place.store = {
    ...real,
    async put(name, content, options) {
      if (!place.away) return real.put(name, content, options);
      await content.cancel();
      throw new UsageError(`${path} is away`);
    },
  };
  return place;
}

/** Another one, for copies. */
function secondPlace(): ReturnType<typeof mayBeAway> {
  mkdirSync(join(root, "second"));
  return mayBeAway(join(root, "second"));
}

/** Time passes in steps, and the disk is waited for in between. */
async function pass(clock: FakeClock, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 10 * minute) {
    await clock.advance(Math.min(left, 10 * minute));
    await eventually(() => { if (clock.sleeping === 0) throw new Error("it is still at work"); }, { interval: 1 });
  }
}

describe("backups by schedule", () => {
  test("are taken at their times, and the oldest go", async () => {
    const { clock, metric } = start();
    await eventually(() => expect(clock.sleeping).toBe(1));
    await pass(clock, 2 * hour);
    expect(names()).toEqual([]);
    await pass(clock, 24 * hour);
    expect(names()).toEqual([expect.stringMatching(/^skiff-scheduled-node-1-20260101T03\d{4}Z\.tar$/)]);
    expect(metric("skiff_backup_last_success_timestamp_seconds")).toBeGreaterThan(Date.parse("2026-01-01T03:00:00Z") / 1000 - 1);
    expect(metric("skiff_backup_last_size_bytes")).toBe("backup 1".length);
    writeFileSync(join(directory, "skiff-backup-node-1-20250101T000000Z.tar"), "taken by hand");
    writeFileSync(join(directory, "skiff-scheduled-node-1-2-20250101T000000Z.tar"), "another node's");
    await pass(clock, 4 * 24 * hour);
    expect(names().map((name) => name.slice(0, -12))).toEqual(["skiff-backup-node-1-20250101", "skiff-scheduled-node-1-2-20250101", "skiff-scheduled-node-1-20260103", "skiff-scheduled-node-1-20260104", "skiff-scheduled-node-1-20260105"]);
  });

  test("that were missed are taken once, after the next start", async () => {
    writeFileSync(join(directory, "skiff-scheduled-node-1-20251220T030000Z.tar"), "old");
    const { clock, made } = start();
    await eventually(() => expect(clock.sleeping).toBe(1));
    expect(made()).toBe(0);
    await pass(clock, 2 * minute);
    expect(made()).toBe(1);
    await pass(clock, 2 * hour);
    expect(made()).toBe(1);
    await pass(clock, 2 * hour);
    expect(made()).toBe(2);
  });

  test("go on when the clock was far ahead, and what is taken by a clock at 1970 isn't taken for the oldest", async () => {
    writeFileSync(join(directory, "skiff-scheduled-node-1-20990101T030000Z.tar"), "by a wrong clock");
    const { clock, made } = start({ retention: 1 });
    await eventually(() => expect(clock.sleeping).toBe(1));
    await pass(clock, 5 * hour);
    expect(made()).toBe(1);
    expect(names()).toHaveLength(1);
    clock.jump(-clock.now());
    await pass(clock, 24 * hour);
    expect(made()).toBe(2);
    expect(names()).toEqual([expect.stringMatching(/^skiff-scheduled-node-1-19700101T03/)]);
  });

  test("that fail are told of and tried again, ever more seldom; nothing is left of them", async () => {
    writeFileSync(join(directory, "skiff-scheduled-node-1-20251231T030000Z.tar"), "old");
    const real = directoryStore(directory);
    let attempts = 0, full = true;
    const store: BackupStore = { ...real, put: (name, content, options) => (attempts++, real.put(name, full ? content.pipeThrough(breaking()) : content, options)) };
    const { clock, events, metric } = start({ stores: [store] });
    await eventually(() => expect(clock.sleeping).toBe(1));
    await pass(clock, 24 * hour);
    expect(attempts).toBeGreaterThan(10);
    expect(attempts).toBeLessThan(30);
    expect(events[0]).toBe(`Warning BackupFailed The backup into ${directory} failed: there is no room`);
    expect(names()).toEqual(["skiff-scheduled-node-1-20251231T030000Z.tar"]);
    expect(metric("skiff_backups_total", { more: ',result="failure"' })).toBe(attempts);
    full = false;
    await pass(clock, hour);
    expect(names()).toHaveLength(2);
    expect(metric("skiff_backups_total", { more: ',result="success"' })).toBe(1);
  });

  test("are copied to the second place when that comes back, without another being taken", async () => {
    const second = secondPlace(), { clock, events, made } = start({ stores: [directoryStore(directory), second.store] });
    await eventually(() => expect(clock.sleeping).toBe(1));
    await pass(clock, 8 * hour);
    expect([made(), names().length, names(second.path).length]).toEqual([1, 1, 0]);
    expect(events[0]).toBe(`Warning BackupFailed The backup into ${second.path} failed: ${second.path} is away`);
    second.away = false;
    await pass(clock, hour);
    expect([made(), names(second.path)]).toEqual([1, names()]);
  });

  test("go on in the first place while the second is away for days, which has the newest in the end", async () => {
    const second = secondPlace(), { clock, made, metric } = start({ stores: [directoryStore(directory), second.store], retention: 2 });
    await eventually(() => expect(clock.sleeping).toBe(1));
    await pass(clock, 4 * 24 * hour);
    expect([made(), names(second.path), contents(directory)]).toEqual([4, [], ["backup 3", "backup 4"]]);
    second.away = false;
    await pass(clock, hour);
    expect([made(), names(second.path)]).toEqual([4, names().slice(1)]);
    const total = (place: string): number => metric("skiff_backups_total", { place, more: ',result="success"' });
    expect([total(directory), total(second.path)]).toEqual([4, 1]);
  });

  test("go into the second place while the first is away or full, which is told of; back again, that has its own", async () => {
    const first = mayBeAway(directory), second = secondPlace();
    second.away = false;
    const { clock, events, metric } = start({ stores: [first.store, second.store], retention: 2 });
    await eventually(() => expect(clock.sleeping).toBe(1));
    await pass(clock, 3 * 24 * hour);
    expect(names()).toEqual([]);
    expect(names(second.path).map((name) => name.slice(0, -12))).toEqual(["skiff-scheduled-node-1-20260102", "skiff-scheduled-node-1-20260103"]);
    expect(new Set(events)).toEqual(new Set([`Warning BackupFailed The backup into ${directory} failed: ${directory} is away`]));
    const total = (place: string, result: string): number => metric("skiff_backups_total", { place, more: `,result="${result}"` });
    expect([total(second.path, "success"), total(directory, "failure")]).toEqual([3, events.length]);
    expect(metric("skiff_backup_last_success_timestamp_seconds")).toBeNaN();
    first.away = false;
    await pass(clock, 2 * hour);
    expect(names()).toHaveLength(1);
    expect(names(second.path)).toHaveLength(2);
    await pass(clock, 24 * hour);
    expect([names().at(-1), contents(directory).at(-1)]).toEqual([names(second.path).at(-1), contents(second.path).at(-1)]);
  });

  test("are taken anew for a place when what another has can't be read", async () => {
    const unreadable: BackupStore = { ...directoryStore(directory), open: () => new ReadableStream({ pull: () => Promise.reject(new UsageError("bad blocks")) }) };
    const second = secondPlace();
    second.away = false;
    const { clock, events, made } = start({ stores: [unreadable, second.store] });
    await eventually(() => expect(clock.sleeping).toBe(1));
    await pass(clock, 5 * hour);
    expect([made(), contents(directory), contents(second.path), events]).toEqual([2, ["backup 1"], ["backup 2"], [`Warning BackupFailed The backup into ${second.path} failed: bad blocks`]]);
  });

  test("are there though old ones can't be deleted, which is told of", async () => {
    const store: BackupStore = { ...directoryStore(directory), remove: () => Promise.reject(new UsageError("it may only be written to")) };
    const { clock, events, made } = start({ stores: [store], retention: 1 });
    await eventually(() => expect(clock.sleeping).toBe(1));
    await pass(clock, 3 * 24 * hour);
    expect([made(), names().length]).toEqual([3, 3]);
    expect(new Set(events)).toEqual(new Set([`Warning BackupsNotDeleted Old backups in ${directory} could not be deleted: it may only be written to`]));
  });

  test("are encrypted where there is a passphrase, and not taken in plain where it can't be read", async () => {
    const passphraseFile = join(directory, "passphrase");
    const { clock, events, made } = start({ passphraseFile });
    await eventually(() => expect(clock.sleeping).toBe(1));
    const unreadable = `the passphrase for backups can't be read from ${passphraseFile}`;
    expect(events).toEqual([expect.stringContaining(`Warning BackupFailed Backups can't be taken: ${unreadable}`)]);
    await pass(clock, 3 * hour + 20 * minute);
    expect([made(), names()]).toEqual([0, []]);
    expect(events[1]).toContain(`The backup into ${directory} failed: ${unreadable}`);
    writeFileSync(passphraseFile, "correct horse\n");
    await pass(clock, hour);
    const [, backup] = names();
    expect(backup).toEndWith(".tar.age");
    expect(readFileSync(join(directory, backup!), "latin1")).toStartWith("age-encryption.org/v1\n-> scrypt ");
  });
});

const breaking = (): TransformStream<Uint8Array, Uint8Array> => new TransformStream({
  transform(chunk, controller) {
    controller.enqueue(chunk);
    controller.error(new UsageError("there is no room"));
  },
});
