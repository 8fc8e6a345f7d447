import { humanDuration } from "../apimachinery/resource.ts";
import { datastoreMetrics } from "../server/datastore/metrics.ts";

/** Of less time than this a day can't be foretold: a first start writes as much as many idle hours. */
const worthSeconds = 3600;

/** The line of `skiff status` on the datastore, of a server's metrics; undefined when they don't tell. */
export function datastoreLine(metrics: string): string | undefined {
  const value = (name: string): number | undefined => {
    const found = new RegExp(`^${name} (\\S+)$`, "m").exec(metrics)?.[1];
    return found === undefined ? undefined : Number(found);
  };
  const info = new RegExp(`^${datastoreMetrics.info}\\{engine="([^"]*)",version="([^"]*)"\\} 1$`, "m").exec(metrics), size = value(datastoreMetrics.size);
  if (!info || size === undefined) return undefined;
  const quota = value(datastoreMetrics.quota), written = value(datastoreMetrics.written), seconds = value(datastoreMetrics.seconds) ?? 0;
  const parts = [`${info[1]} ${info[2]}`.trim(), megabytes(size) + (quota === undefined ? "" : ` of ${megabytes(quota)}`)];
  if (written !== undefined) parts.push(`${megabytes(written)} written in ${humanDuration(seconds * 1000)}${seconds >= worthSeconds ? `, ${megabytes(written / seconds * 86_400)} a day at this rate` : ""}`);
  const alarms = [...metrics.matchAll(new RegExp(`^${datastoreMetrics.alarm}\\{alarm="([^"]*)"\\} 1$`, "gm"))].map(([, alarm]) => alarm);
  if (alarms.length > 0) parts.push(`ALARM ${alarms.join(", ")}${alarms.includes("NOSPACE") ? ": nothing new can be stored until there is room" : ""}`);
  return `Datastore    ${parts.join("  ")}`;
}

const megabytes = (bytes: number): string => `${bytes < 1e7 ? (bytes / 1e6).toFixed(1) : Math.round(bytes / 1e6)} MB`;
