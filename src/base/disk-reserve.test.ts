import { afterEach, beforeEach, expect, test } from "bun:test";
import { appendFileSync, existsSync, mkdtempSync, rmSync, statfsSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { logger } from "./log.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { DiskReserve } from "./disk-reserve.ts";

const mib = 2 ** 20;
let directory: string, path: string, clock: FakeClock, reserve: DiskReserve;
/** A disk of its own, of 100 MiB. */
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "skiff-reserve-"));
  expect(Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", directory]).exitCode).toBe(0);
  path = join(directory, "agent/reserve");
  clock = new FakeClock();
  reserve = new DiskReserve({ path, clock, log: logger("test") });
});
afterEach(() => {
  Bun.spawnSync(["umount", "-l", directory]);
  rmSync(directory, { recursive: true });
});

const available = (): number => statfsSync(directory).bavail * statfsSync(directory).bsize;
const fill = (left = 0): void => appendFileSync(join(directory, "filler"), Buffer.alloc(available() - left));
const signal = new AbortController().signal;

test("a hundredth of a small disk is set aside, once; a disk with room keeps it", async () => {
  await reserve.run(signal);
  expect([statSync(path).size, statSync(path).blocks * 512, available()]).toEqual([mib, mib, 99 * mib]);
  await reserve.run(signal);
  reserve.give();
  expect([statSync(path).size, clock.sleeping]).toEqual([mib, 0]);
});

test("each start with a full disk gets a part of it, until nothing is left", async () => {
  await reserve.run(signal);
  for (const left of [768, 512, 256, 0]) {
    fill();
    reserve.give();
    expect(available()).toBe(mib / 4);
    expect(existsSync(path) ? statSync(path).size : 0).toBe(left * 1024);
  }
  fill();
  reserve.give();
  expect(available()).toBe(0);
});

test("what was given is set aside again once there is room", async () => {
  await reserve.run(signal);
  fill();
  reserve.give();
  const stop = new AbortController(), running = reserve.run(stop.signal);
  await clock.advance(10 * 60_000);
  expect(statSync(path).size).toBe(0.75 * mib);
  rmSync(join(directory, "filler"));
  await clock.advance(10 * 60_000);
  expect([statSync(path).size, clock.sleeping]).toEqual([mib, 0]);
  await running;
});

test("a disk that is nearly full is left alone", async () => {
  fill(2 * mib);
  const stop = new AbortController(), running = reserve.run(stop.signal);
  expect(existsSync(path)).toBe(false);
  stop.abort();
  await running;
});
