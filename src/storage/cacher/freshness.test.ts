import { expect, test } from "bun:test";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { eventually } from "../../../test/support/eventually.ts";
import { Freshness } from "./freshness.ts";

const closed = new AbortController();

function start(latest: () => Promise<number>) {
  const clock = new FakeClock();
  let shown = 5, tell = (): void => {};
  const freshness = new Freshness({
    latest, clock, closed: closed.signal,
    reached: (revision, signal) => new Promise((resolve, reject) => {
      tell = () => { if (shown >= revision) resolve(); };
      signal.addEventListener("abort", () => reject(signal.reason));
      tell();
    }),
  });
  return { freshness, clock, show: (revision: number) => { shown = revision; tell(); } };
}

test("a read waits until what others had written is shown", async () => {
  const { freshness, show } = start(async () => 7);
  let settled = false;
  const settling = freshness.settle().then((known) => { settled = known; });
  await Promise.resolve();
  expect(settled).toBe(false);
  show(7);
  await settling;
  expect([settled, freshness.lost]).toEqual([true, false]);
});

test("a storage that doesn't tell keeps one read waiting, not the next ones; all are up to date again when it does", async () => {
  let answer: (revision: number) => void = () => {};
  let asked = 0;
  const { freshness, clock, show } = start(() => {
    asked++;
    return new Promise((resolve) => { answer = resolve; });
  });
  const first = freshness.settle();
  await clock.advance(2000);
  expect(await first).toBe(false);
  expect(freshness.lost).toBe(true);
  expect(await freshness.settle()).toBe(false);
  expect(asked).toBe(2);
  answer(9);
  show(9);
  await eventually(() => expect(freshness.lost).toBe(false));
  const next = freshness.settle();
  answer(9);
  expect(await next).toBe(true);
});
