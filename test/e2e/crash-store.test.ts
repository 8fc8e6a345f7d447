import { expect, setDefaultTimeout, test } from "bun:test";
import { runCrashes } from "../crash/crash-run.ts";
import { runEngineCrashes } from "../crash/engine-run.ts";
import { runFirstStarts } from "../crash/first-starts.ts";
import { skiffExecutable } from "../support/skiff.ts";

setDefaultTimeout(240_000);

// The long form is `npm run crash`.
test("the server is killed and its power is cut 20 times: what was answered is there, and watchers miss nothing", async () => {
  const report = await runCrashes({ executable: skiffExecutable(), rounds: 20, seed: 1 });
  expect(report.violations).toEqual([]);
  expect(report).toMatchObject({ rounds: 20, relists: { configmaps: 0 } });
  expect(report.kills).toBeGreaterThan(2);
  expect(report.powerCuts).toBeGreaterThan(6);
  expect(report.acknowledged).toBeGreaterThan(100);
});

test("on a disk that only says that it has synced, writes are found lost", async () => {
  const { violations } = await runCrashes({ executable: skiffExecutable(), rounds: 25, seed: 2, lies: true });
  expect(violations).not.toEqual([]);
  expect(violations.join("\n")).toMatch(/lost|did not start/);
});

test.each([1, 2, 3])("the engine alone, ended 25 times amid writes and compaction (%d)", async (seed) => {
  const report = await runEngineCrashes({ rounds: 25, seed });
  expect(report.violations).toEqual([]);
  expect(report.acknowledged).toBeGreaterThan(100);
});

test("a cluster begins though the power is cut amid its first starts", async () => {
  const { failures, powerCuts } = await runFirstStarts({ executable: skiffExecutable(), clusters: 5, seed: 3 });
  expect(failures).toEqual([]);
  expect(powerCuts).toBeGreaterThanOrEqual(5);
});
