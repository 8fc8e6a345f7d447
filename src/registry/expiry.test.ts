import { afterEach, beforeEach, expect, test } from "bun:test";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { eventually } from "../../test/support/eventually.ts";
import { Cacher } from "../storage/cacher/cacher.ts";
import { MemoryStorage } from "../storage/memory/memory-storage.ts";
import { runExpiry } from "./expiry.ts";

const prefix = "/registry/core/events/";
const hour = 3_600_000;
const event = (name: string, writtenAt?: number) => ({ metadata: { namespace: "default", name }, writtenAt });
const key = (name: string): string => `${prefix}default/${name}`;

let clock: FakeClock, cacher: Cacher, stop: AbortController, running: Promise<void>;
beforeEach(async () => {
  clock = new FakeClock();
  const storage = new MemoryStorage();
  cacher = new Cacher({ storage });
  await cacher.start();
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await running;
  await cacher.close();
});

const start = (): void => {
  running = runExpiry({ cacher, prefix, ttlMs: hour, writtenAt: (object) => (object as unknown as ReturnType<typeof event>).writtenAt, clock, failed: (error) => { throw error; } }, stop.signal);
};
const names = (): string[] => cacher.list(prefix).map(({ object }) => object.metadata.name!);
const pass = async (ms: number): Promise<void> => {
  await eventually(() => expect(clock.sleeping).toBe(1));
  await clock.advance(ms);
};

test("an object goes when nobody has written it for its time, those there at the start too; others stay", async () => {
  await cacher.create(key("old"), event("old"));
  await cacher.create("/registry/core/pods/default/p", event("p"));
  start();
  await pass(hour / 2);
  const young = await cacher.create(key("young"), event("young"));
  await pass(hour / 2 + 10_000);
  await eventually(() => expect(names()).toEqual(["young"]));
  await pass(hour / 4);
  await cacher.update(key("young"), young.revision, event("young"));
  await pass(hour / 2);
  expect(names()).toEqual(["young"]);
  await pass(hour);
  await eventually(() => expect(names()).toEqual([]));
  expect(cacher.get("/registry/core/pods/default/p")).toBeDefined();
  // What comes after a time without any is found, too.
  await cacher.create(key("late"), event("late"));
  await pass(hour + 10_000);
  await eventually(() => expect(names()).toEqual([]));
});

test("what is there at the start has what is left of its time, by the wall clock", async () => {
  const now = clock.now();
  await cacher.create(key("ahead"), event("ahead", now + 5 * hour));
  await cacher.create(key("fresh"), event("fresh", now - hour / 4));
  await cacher.create(key("old"), event("old", now - 3 * hour));
  await cacher.create(key("older"), event("older", now - hour * 0.75));
  start();
  await pass(10_000);
  await eventually(() => expect(names()).toEqual(["ahead", "fresh", "older"]));
  await pass(hour / 4);
  await eventually(() => expect(names()).toEqual(["ahead", "fresh"]));
  await pass(hour / 2);
  await eventually(() => expect(names()).toEqual(["ahead"]));
  await pass(hour / 4);
  await eventually(() => expect(names()).toEqual([]));
});

test("after that the wall clock has no say", async () => {
  start();
  await cacher.create(key("a"), event("a"));
  clock.jump(10 * hour);
  await pass(hour / 2);
  expect(names()).toEqual(["a"]);
});

test("a thousand that end together are removed in one go", async () => {
  start();
  for (let i = 0; i < 1000; i++) await cacher.create(key(String(i)), event(String(i)));
  await pass(hour + 10_000);
  await eventually(() => expect(names()).toEqual([]));
});
