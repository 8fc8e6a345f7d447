import type { FieldSchedule, Schedule } from "../../apis/batch/cron-schedule.ts";
import { timeOf, wallTime, type WallTime, type Zone } from "./zone.ts";

const minute = 60_000, hour = 60 * minute;
/** Looked for so far ahead, in years. */
const horizon = 5;

/**
 * The first time after `after` at which the schedule starts; undefined when there is none for years (February 30th). Where clocks are set
 * on or back it does what robfig/cron does, whose steps these are: hours are gone through as they pass, so that an hour that is left out
 * starts nothing, and one that comes twice does so twice.
 */
export function nextTime(schedule: Schedule, after: number, zone: Zone): number | undefined {
  const second = Math.floor(after / 1000) * 1000;
  return "every" in schedule ? second + schedule.every : nextOfFields(schedule, second + 1000, zone);
}

interface Moment extends WallTime {
  time: number;
}

interface Unit {
  fits(schedule: FieldSchedule, at: Moment): boolean;
  /** The start of this one. */
  start(at: Moment, zone: Zone): number;
  /** One on. */
  next(at: Moment, zone: Zone): number;
  /** The first within the larger unit: what is larger has to be looked at again. */
  isFirst(at: Moment): boolean;
}

/** From the largest to the smallest. */
const units: readonly Unit[] = [
  {
    fits: (schedule, at) => schedule.month.values.has(at.month),
    start: (at, zone) => timeOf({ ...at, day: 1, hour: 0, minute: 0, second: 0 }, zone),
    next: (at, zone) => timeOf({ ...at, month: at.month + 1 }, zone),
    isFirst: (at) => at.month === 1,
  },
  {
    fits: dayFits,
    start: (at, zone) => timeOf({ ...at, hour: 0, minute: 0, second: 0 }, zone),
    next: nextDay,
    isFirst: (at) => at.day === 1,
  },
  {
    fits: (schedule, at) => schedule.hour.values.has(at.hour),
    start: (at, zone) => timeOf({ ...at, minute: 0, second: 0 }, zone),
    next: (at) => at.time + hour,
    isFirst: (at) => at.hour === 0,
  },
  {
    fits: (schedule, at) => schedule.minute.values.has(at.minute),
    start: (at) => Math.floor(at.time / minute) * minute,
    next: (at) => at.time + minute,
    isFirst: (at) => at.minute === 0,
  },
  {
    fits: (_, at) => at.second === 0,
    start: (at) => at.time,
    next: (at) => at.time + (60 - at.second) * 1000,
    isFirst: () => true,
  },
];

function nextOfFields(schedule: FieldSchedule, from: number, zone: Zone): number | undefined {
  const moment = (time: number): Moment => ({ time, ...wallTime(time, zone) });
  let at = moment(from), started = false;
  const last = at.year + horizon;
  for (let index = 0; index < units.length;) {
    const unit = units[index]!;
    if (unit.fits(schedule, at)) {
      index++;
      continue;
    }
    if (!started) at = moment(unit.start(at, zone));
    started = true;
    at = moment(unit.next(at, zone));
    if (!unit.isFirst(at)) continue;
    if (at.year > last) return undefined;
    index = 0;
  }
  return at.time;
}

/** Of two days that are both restricted one is enough. */
function dayFits({ dayOfMonth, dayOfWeek }: FieldSchedule, at: Moment): boolean {
  const ofMonth = dayOfMonth.values.has(at.day), ofWeek = dayOfWeek.values.has(at.dayOfWeek);
  return dayOfMonth.any || dayOfWeek.any ? ofMonth && ofWeek : ofMonth || ofWeek;
}

/** Midnight, or where clocks leave it out whole hours from there. Where the calendar leaves out the day it is the one after: robfig/cron never gets past it. */
function nextDay(at: Moment, zone: Zone): number {
  const midnight = timeOf({ ...at, day: at.day + 1 }, zone), time = midnight > at.time ? midnight : timeOf({ ...at, day: at.day + 2 }, zone);
  const shown = wallTime(time, zone).hour;
  return time + (shown > 12 ? 24 - shown : -shown) * hour;
}
