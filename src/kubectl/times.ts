/** `Sat, 21 Nov 2026 06:21:44 +0000`, in this machine's time zone. */
export function dateText(timestamp: string | null | undefined): string {
  const date = timestamp ? new Date(timestamp) : new Date(Date.UTC(1, 0, 1));
  if (!timestamp) return "Mon, 01 Jan 0001 00:00:00 +0000";
  const two = (value: number): string => String(value).padStart(2, "0");
  const offset = -date.getTimezoneOffset();
  const day = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][date.getDay()], month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][date.getMonth()];
  return `${day}, ${two(date.getDate())} ${month} ${date.getFullYear()} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())} ${offset < 0 ? "-" : "+"}${two(Math.floor(Math.abs(offset) / 60))}${two(Math.abs(offset) % 60)}`;
}

/** `5s`, `3m20s`, `2d3h`: how long ago. Source: k8s.io/apimachinery/pkg/util/duration HumanDuration. */
export function ageOf(timestamp: string | null | undefined): string {
  if (!timestamp) return "<unknown>";
  const seconds = Math.floor((Date.now() - Date.parse(timestamp)) / 1000);
  if (seconds < -1) return "<invalid>";
  if (seconds < 0) return "0s";
  const minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60), days = Math.floor(hours / 24), years = Math.floor(days / 365);
  const pair = (big: number, bigUnit: string, small: number, smallUnit: string): string => `${big}${bigUnit}${small ? `${small}${smallUnit}` : ""}`;
  if (seconds < 120) return `${seconds}s`;
  if (minutes < 10) return pair(minutes, "m", seconds % 60, "s");
  if (minutes < 180) return `${minutes}m`;
  if (hours < 8) return pair(hours, "h", minutes % 60, "m");
  if (hours < 48) return `${hours}h`;
  if (hours < 192) return pair(days, "d", hours % 24, "h");
  if (years < 2) return `${days}d`;
  return years < 8 ? pair(years, "y", days % 365, "d") : `${years}y`;
}
