import type { PSIData } from "./summary-api.ts";

/** How long tasks stalled for want of a resource. Source: the kernel's documentation of pressure stall information. */
export interface Pressure {
  some: PSIData;
  full: PSIData;
}

const none: PSIData = { total: 0, avg10: 0, avg60: 0, avg300: 0 };

/** `total` is in nanoseconds, as cAdvisor has it: the kernel writes microseconds. Undefined where the kernel has no such file, or it is switched off. */
export function parsePressure(text: string | undefined): Pressure | undefined {
  const some = lineOf(text, "some");
  return some && { some, full: lineOf(text, "full") ?? none };
}

function lineOf(text: string | undefined, kind: string): PSIData | undefined {
  const match = new RegExp(`^${kind} avg10=([0-9.]+) avg60=([0-9.]+) avg300=([0-9.]+) total=(\\d+)`, "m").exec(text ?? "");
  return match ? { total: Number(match[4]) * 1000, avg10: Number(match[1]), avg60: Number(match[2]), avg300: Number(match[3]) } : undefined;
}
