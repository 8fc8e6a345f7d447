import { expect, test } from "bun:test";
import { Measurements } from "./measurements.ts";

const key = "ns/quota", minutes = 60_000;

test("a charge is looked after once, when what was charged is long written", () => {
  const measurements = new Measurements();
  expect(measurements.wait(key, 0)).toBeUndefined();
  expect([measurements.charged(key, 0), measurements.charged(key, 3 * minutes), measurements.wait(key, 3 * minutes)]).toEqual([true, false, 2 * minutes]);
  measurements.now(key);
  expect(measurements.wait(key, 3 * minutes)).toBe(0);
});

test("our own writing is no charge, and one that fails is tried again", async () => {
  const measurements = new Measurements();
  measurements.now(key);
  await measurements.done(key, async () => void expect(measurements.charged(key, 0)).toBe(false));
  expect(measurements.wait(key, 0)).toBeUndefined();
  measurements.now(key);
  const failing = measurements.done(key, () => Promise.reject(new Error("conflict")));
  expect(failing).rejects.toThrow("conflict");
  await failing.catch(() => undefined);
  expect(measurements.wait(key, 0)).toBe(0);
});

test("what changes while we measure is measured again", async () => {
  const measurements = new Measurements();
  measurements.now(key);
  await measurements.done(key, async () => measurements.now(key));
  expect(measurements.wait(key, 0)).toBe(0);
});
