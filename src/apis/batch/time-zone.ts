import { invalidValue, type FieldError } from "../../apimachinery/field-errors.ts";
import { isTimeZone } from "./cron-schedule.ts";

/** A name of the IANA time zone database, spelled by its rules. */
export function validateTimeZone(field: string, zone: string | undefined): FieldError[] {
  if (zone === undefined) return [];
  if (zone === "") return [invalidValue(field, zone, "timeZone must be nil or non-empty string")];
  const wellFormed = zone.split("/").every((part) => part !== "." && part !== ".." && !part.startsWith("-") && /^[A-Za-z.\-_0-9+]{1,14}$/.test(part));
  if (!wellFormed) return [invalidValue(field, zone, `unknown time zone ${zone}`)];
  const errors = zone.toLowerCase() === "local" ? [invalidValue(field, zone, "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones")] : [];
  return isTimeZone(zone) ? errors : [...errors, invalidValue(field, zone, `unknown time zone ${zone}`)];
}
