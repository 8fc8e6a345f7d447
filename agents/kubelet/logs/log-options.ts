import { badRequest } from "../../../src/apimachinery/status.ts";

/** What `kubectl logs` may ask. */
export interface LogOptions {
  follow: boolean;
  previous: boolean;
  timestamps: boolean;
  tailLines?: number;
  limitBytes?: number;
  /** Milliseconds since the epoch; older lines are left out. */
  since?: number;
  stream?: "stdout" | "stderr";
}

/** Reads the query of a containerLogs request. Throws a 400 StatusError for what makes no sense. */
export function parseLogOptions(query: URLSearchParams, now: number): LogOptions {
  const sinceSeconds = whole(query, "sinceSeconds", 1);
  const sinceTime = query.get("sinceTime");
  if (sinceSeconds !== undefined && sinceTime) throw badRequest("at most one of `sinceTime` or `sinceSeconds` may be specified");
  const since = sinceSeconds !== undefined ? now - sinceSeconds * 1000 : sinceTime ? Date.parse(sinceTime) : undefined;
  if (since !== undefined && Number.isNaN(since)) throw badRequest(`sinceTime: Invalid value: ${JSON.stringify(sinceTime)}: must be an RFC 3339 time`);
  const stream = query.get("stream")?.toLowerCase();
  return {
    follow: flag(query, "follow"), previous: flag(query, "previous"), timestamps: flag(query, "timestamps"),
    tailLines: whole(query, "tailLines", 0), limitBytes: whole(query, "limitBytes", 1), since,
    stream: stream === "stdout" || stream === "stderr" ? stream : undefined,
  };
}

const flag = (query: URLSearchParams, name: string): boolean => ["1", "t", "true"].includes((query.get(name) ?? "").toLowerCase());

function whole(query: URLSearchParams, name: string, least: number): number | undefined {
  const text = query.get(name);
  if (text === null || text === "") return undefined;
  const value = Number(text);
  if (!Number.isInteger(value) || value < least) throw badRequest(`${name}: Invalid value: ${JSON.stringify(text)}: must be greater than or equal to ${least}`);
  return value;
}
