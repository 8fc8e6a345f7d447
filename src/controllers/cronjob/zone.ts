/** A time zone: how far its clocks are ahead of UTC, in milliseconds. */
export interface Zone {
  offsetAt(time: number): number;
}

/** What a clock in a zone shows. Months and days from 1, Sunday is 0. */
export interface WallTime {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
  dayOfWeek: number;
}

export const utc: Zone = { offsetAt: () => 0 };

const zones = new Map<string, Zone>();

/** A zone by its name in the time zone database; `Local` is this machine's. Throws a RangeError for what is none. */
export function zoneOf(name: string): Zone {
  if (name === "UTC" || name === "Etc/UTC") return utc;
  const known = zones.get(name);
  if (known) return known;
  const zone = name === "Local" ? localZone : zoneOfDatabase(name);
  zones.set(name, zone);
  return zone;
}

const localZone: Zone = { offsetAt: (time) => -new Date(time).getTimezoneOffset() * 60_000 };

function zoneOfDatabase(timeZone: string): Zone {
  const format = new Intl.DateTimeFormat("en-US", { timeZone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" });
  return {
    offsetAt(time) {
      const shown: Record<string, number> = {};
      for (const { type, value } of format.formatToParts(time)) shown[type] = Number(value);
      return Date.UTC(shown["year"]!, shown["month"]! - 1, shown["day"], shown["hour"], shown["minute"], shown["second"]) - Math.floor(time / 1000) * 1000;
    },
  };
}

export function wallTime(time: number, zone: Zone): WallTime {
  const shown = new Date(time + zone.offsetAt(time));
  return {
    year: shown.getUTCFullYear(), month: shown.getUTCMonth() + 1, day: shown.getUTCDate(), hour: shown.getUTCHours(), minute: shown.getUTCMinutes(), second: shown.getUTCSeconds(),
    dayOfWeek: shown.getUTCDay(),
  };
}

/**
 * When clocks show this; days and months may run over. What they never show, or show twice, is read with the offset that Go's time.Date takes:
 * that at the same figures in UTC, or that at the time which follows from it.
 */
export function timeOf({ year, month, day, hour, minute, second }: Omit<WallTime, "dayOfWeek">, zone: Zone): number {
  const figures = Date.UTC(year, month - 1, day, hour, minute, second);
  return figures - zone.offsetAt(figures - zone.offsetAt(figures));
}

/** RFC 3339 with the zone's offset: `2026-07-01T02:00:00+02:00`. */
export function formatInZone(time: number, zone: Zone): string {
  const offset = zone.offsetAt(time), minutes = Math.round(Math.abs(offset) / 60_000);
  const shown = new Date(time + offset).toISOString().slice(0, 19);
  if (minutes === 0) return `${shown}Z`;
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${shown}${offset < 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}
