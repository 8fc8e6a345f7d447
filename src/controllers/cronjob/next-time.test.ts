import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseSchedule, type FieldSchedule } from "../../apis/batch/cron-schedule.ts";
import { nextTime } from "./next-time.ts";
import { formatInZone, utc, wallTime, zoneOf } from "./zone.ts";

const iso = (time: number): string => `${new Date(time).toISOString().slice(0, 19)}Z`;

function following(schedule: string, zone: string, after: string, count: number): string[] {
  const times: string[] = [];
  for (let time: number | undefined = Date.parse(after); times.length < count;) {
    time = nextTime(parseSchedule(schedule), time, zoneOf(zone));
    if (time === undefined) break;
    times.push(iso(time));
  }
  return times;
}

/** What robfig/cron v3.0.1 answers. */
const answers: [schedule: string, zone: string, after: string, next: string[]][] = [
  ["*/15 * * * *", "UTC", "2026-01-01T00:07:30Z", ["2026-01-01T00:15:00Z", "2026-01-01T00:30:00Z", "2026-01-01T00:45:00Z"]],
  ["0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", ["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z", "2036-02-29T00:00:00Z"]],
  // Of a day of the month and one of the week one is enough, unless one has a star; with a step it is none.
  ["0 12 13 * 5", "UTC", "2026-01-01T00:00:00Z", ["2026-01-02T12:00:00Z", "2026-01-09T12:00:00Z", "2026-01-13T12:00:00Z"]],
  ["0 12 */2 * 5", "UTC", "2026-01-01T00:00:00Z", ["2026-01-01T12:00:00Z", "2026-01-02T12:00:00Z", "2026-01-03T12:00:00Z"]],
  ["0 12 ? * fri", "UTC", "2026-01-01T00:00:00Z", ["2026-01-02T12:00:00Z", "2026-01-09T12:00:00Z", "2026-01-16T12:00:00Z"]],
  ["5/20 9-17/4 * JAN,jul MON-WED", "UTC", "2026-01-01T00:00:00Z", ["2026-01-05T09:05:00Z", "2026-01-05T09:25:00Z", "2026-01-05T09:45:00Z"]],
  ["@monthly", "UTC", "2026-01-31T12:00:00Z", ["2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"]],
  ["@weekly", "UTC", "2026-01-01T00:00:00Z", ["2026-01-04T00:00:00Z", "2026-01-11T00:00:00Z", "2026-01-18T00:00:00Z"]],
  ["@every 1h30m", "UTC", "2026-01-01T00:00:10Z", ["2026-01-01T01:30:10Z", "2026-01-01T03:00:10Z", "2026-01-01T04:30:10Z"]],
  ["@every 100ms", "UTC", "2026-01-01T00:00:10Z", ["2026-01-01T00:00:11Z", "2026-01-01T00:00:12Z", "2026-01-01T00:00:13Z"]],
  // An hour that is left out.
  ["30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", ["2026-03-30T00:30:00Z", "2026-03-31T00:30:00Z", "2026-04-01T00:30:00Z"]],
  ["0 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", ["2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z", "2026-03-30T01:00:00Z"]],
  ["0 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", ["2026-03-09T06:00:00Z", "2026-03-10T06:00:00Z", "2026-03-11T06:00:00Z"]],
  ["15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", ["2026-10-04T15:15:00Z", "2026-10-05T15:15:00Z", "2026-10-06T15:15:00Z"]],
  // An hour that comes twice.
  ["30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-26T01:30:00Z"]],
  ["0 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", ["2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"]],
  ["30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", ["2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z", "2026-11-02T06:30:00Z"]],
  // Midnight is left out.
  ["0 0 * * *", "America/Sao_Paulo", "2018-11-03T00:00:00Z", ["2018-11-03T03:00:00Z", "2018-11-05T02:00:00Z", "2018-11-06T02:00:00Z"]],
  ["0 3 4 11 *", "America/Sao_Paulo", "2018-11-01T00:00:00Z", ["2018-11-04T05:00:00Z", "2019-11-04T06:00:00Z", "2020-11-04T06:00:00Z"]],
  ["0 3 31 3 *", "Asia/Beirut", "2024-03-29T00:00:00Z", ["2025-03-31T00:00:00Z", "2026-03-31T00:00:00Z", "2027-03-31T00:00:00Z"]],
  ["0 9 * * 1", "Asia/Kolkata", "2026-01-01T00:00:00Z", ["2026-01-05T03:30:00Z", "2026-01-12T03:30:00Z", "2026-01-19T03:30:00Z"]],
  ["59 23 31 2 *", "UTC", "2026-01-01T00:00:00Z", []],
];

describe("the next times of", () => {
  test.each(answers)("%s in %s after %s", (schedule, zone, after, next) => expect(following(schedule, zone, after, 3)).toEqual(next));

  test("a day that a calendar left out", () => {
    expect(following("0 3 30 12 *", "Pacific/Apia", "2011-12-17T14:43:00Z", 1)).toEqual(["2012-12-29T13:00:00Z"]);
    expect(following("0 3 31 12 *", "Pacific/Apia", "2011-12-17T14:43:00Z", 1)).toEqual(["2011-12-30T13:00:00Z"]);
  });
});

const field = (min: number, max: number): fc.Arbitrary<string> => {
  const value = fc.integer({ min, max });
  const range = fc.tuple(value, value).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`);
  const one = fc.oneof(fc.constant("*"), fc.constant("?"), value.map(String), range, fc.tuple(fc.oneof(fc.constant("*"), value.map(String), range), fc.integer({ min: 1, max })).map(([start, step]) => `${start}/${step}`));
  return fc.array(one, { minLength: 1, maxLength: 3 }).map((parts) => parts.join(","));
};
const anySchedule = fc.tuple(field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 6)).map((fields) => fields.join(" "));
const anyTime = fc.integer({ min: Date.parse("2000-01-01T00:00:00Z") / 1000, max: Date.parse("2037-01-01T00:00:00Z") / 1000 }).map((seconds) => seconds * 1000);

function fits({ minute, hour, dayOfMonth, month, dayOfWeek }: FieldSchedule, time: number): boolean {
  const at = wallTime(time, utc), days = [dayOfMonth.values.has(at.day), dayOfWeek.values.has(at.dayOfWeek)];
  return at.second === 0 && minute.values.has(at.minute) && hour.values.has(at.hour) && month.values.has(at.month) && (dayOfMonth.any || dayOfWeek.any ? days.every(Boolean) : days.some(Boolean));
}

test("the next time fits, and no minute before does", () => {
  fc.assert(fc.property(anySchedule, anyTime, (text, after) => {
    const schedule = parseSchedule(text) as FieldSchedule, next = nextTime(schedule, after, utc);
    if (next === undefined) return;
    expect(next).toBeGreaterThan(after);
    expect(fits(schedule, next)).toBe(true);
    const minutes = Math.min(3000, Math.floor((next - after) / 60_000));
    for (let back = 1; back <= minutes; back++) {
      const earlier = next - back * 60_000;
      if (earlier > after && fits(schedule, earlier)) throw new Error(`${text} after ${iso(after)} is ${iso(earlier)}, not ${iso(next)}`);
    }
  }), { numRuns: 300 });
});

test("the next time is ahead in every zone, and is that of the second before it", () => {
  fc.assert(fc.property(anySchedule, anyTime, fc.constantFrom("Europe/Berlin", "America/Havana", "Asia/Tehran", "Pacific/Apia", "Australia/Lord_Howe"), (text, after, zone) => {
    const schedule = parseSchedule(text), next = nextTime(schedule, after, zoneOf(zone));
    if (next === undefined) return;
    expect(next).toBeGreaterThan(after);
    expect(nextTime(schedule, Math.max(after, next - 1000), zoneOf(zone))).toBe(next);
  }), { numRuns: 200 });
});

test("times are written with their zone's offset", () => {
  const time = Date.parse("2026-07-01T00:30:00Z");
  expect(["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kolkata"].map((zone) => formatInZone(time, zoneOf(zone)))).toEqual(["2026-07-01T00:30:00Z", "2026-07-01T02:30:00+02:00", "2026-06-30T22:00:00-02:30", "2026-07-01T06:00:00+05:30"]);
});
