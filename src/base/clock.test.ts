import { expect, test } from "bun:test";
import { systemClock } from "./clock.ts";

test("a sleep of many years, as a clock that is far off makes it, does not end at once", async () => {
  const stop = new AbortController();
  let ended = false;
  const sleep = systemClock.sleep(56 * 365 * 86_400_000, stop.signal).then(() => { ended = true; });
  await systemClock.sleep(20);
  expect(ended).toBe(false);
  stop.abort(new Error("enough"));
  await expect(sleep).rejects.toThrow("enough");
  await expect(systemClock.sleep(1, stop.signal)).rejects.toThrow("enough");
});
