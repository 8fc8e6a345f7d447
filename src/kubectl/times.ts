import { age } from "../apimachinery/resource.ts";

/** `Sat, 21 Nov 2026 06:21:44 +0000`, in this machine's time zone. */
export function dateText(timestamp: string | null | undefined): string {
  const date = timestamp ? new Date(timestamp) : new Date(Date.UTC(1, 0, 1));
  if (!timestamp) return "Mon, 01 Jan 0001 00:00:00 +0000";
  const two = (value: number): string => String(value).padStart(2, "0");
  const offset = -date.getTimezoneOffset();
  const day = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][date.getDay()], month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][date.getMonth()];
  return `${day}, ${two(date.getDate())} ${month} ${date.getFullYear()} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())} ${offset < 0 ? "-" : "+"}${two(Math.floor(Math.abs(offset) / 60))}${two(Math.abs(offset) % 60)}`;
}

/** `5s`, `3m20s`, `2d3h`: how long ago. */
export const ageOf = (timestamp: string | null | undefined): string => age(timestamp, Date.now());
