import type { Schedule } from "../../apis/batch/cron-schedule.ts";
import { nextTime } from "./next-time.ts";
import type { Zone } from "./zone.ts";

/** More missed starts than these are told of: the clock may be wrong. */
const many = 100;

export interface Missed {
  /** Where the search began. */
  since: number;
  /** The last start that is due. */
  latest?: number;
  count: "none" | "few" | "many";
  /** The schedule has no two starts. */
  invalid?: true;
}

/**
 * The last start after `since` up to `now`, found without going through all of them. Where starts are not evenly spread the count is a guess
 * from the first two, as in Kubernetes (mostRecentScheduleTime of its controller), and the last one may then not be found.
 */
export function missedStarts(schedule: Schedule, since: number, now: number, zone: Zone): Missed {
  const first = nextTime(schedule, since, zone);
  const second = first === undefined ? undefined : nextTime(schedule, first, zone);
  if (first !== undefined && now < first) return { since, count: "none" };
  if (first === undefined || second === undefined) return { since, count: "none", invalid: true };
  if (now < second) return { since, latest: first, count: "none" };
  const apart = Math.round((second - first) / 1000);
  const count = Math.floor(Math.floor((now - first) / 1000) / apart) + 1;
  let latest: number | undefined;
  for (let time = nextTime(schedule, first + (count - 2) * apart * 1000, zone); time !== undefined && time <= now; time = nextTime(schedule, time, zone)) latest = time;
  return { since, ...(latest === undefined ? {} : { latest }), count: count > many ? "many" : "few" };
}
