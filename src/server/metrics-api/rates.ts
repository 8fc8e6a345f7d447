import type { ContainerUsage, Reading, Usage } from "./reading.ts";

/** What is used: cores and bytes. */
export interface Use {
  cpuCores: number;
  memoryBytes: number;
}

export interface PodUse {
  /** Milliseconds: the shortest of its containers'. */
  windowMs: number;
  containers: readonly ({ name: string } & Use)[];
}

/** What a node and its pods use, until `at`, by the node's clock. */
export interface NodeUse {
  at: number;
  windowMs: number;
  node: Use;
  /** By `namespace/pod`. A pod with a container too young to say anything about is missing. */
  pods: ReadonlyMap<string, PodUse>;
}

/** Over less than this nothing is said. */
export const leastWindowMs = 900;
/** So much may the clocks disagree over a window: more, and the node's was set meanwhile. */
const tolerance = 2000;

/** Compares two readings. Undefined when they are too close to each other, or the node began anew in between. */
export function usesBetween(earlier: Reading, later: Reading): NodeUse | undefined {
  const windowMs = windowOf(earlier, later);
  if (windowMs < leastWindowMs || later.node.cpuSeconds < earlier.node.cpuSeconds) return undefined;
  const pods = new Map<string, PodUse>();
  for (const [key, containers] of later.pods) {
    const uses = [...containers].map(([name, usage]) => containerUse(name, usage, earlier.pods.get(key)?.get(name), windowMs, later.at));
    if (uses.length > 0 && uses.every((use) => use !== undefined)) pods.set(key, { windowMs: Math.min(...uses.map((use) => use!.windowMs)), containers: uses.map((use) => use!.use) });
  }
  return { at: later.at, windowMs, node: useOf(earlier.node, later.node, windowMs), pods };
}

function windowOf(earlier: Reading, later: Reading): number {
  const ours = later.asked - earlier.asked, theirs = later.at - earlier.at;
  return Math.abs(ours - theirs) > tolerance ? ours : theirs;
}

const useOf = (earlier: Usage, later: Usage, windowMs: number): Use => ({ cpuCores: ((later.cpuSeconds - earlier.cpuSeconds) / windowMs) * 1000, memoryBytes: later.memoryBytes });

/** A container that began within the window is measured from its beginning. */
function containerUse(name: string, later: ContainerUsage, earlier: ContainerUsage | undefined, windowMs: number, at: number): { windowMs: number; use: { name: string } & Use } | undefined {
  const isSame = earlier !== undefined && earlier.startedAt === later.startedAt && earlier.cpuSeconds <= later.cpuSeconds;
  const own = isSame ? windowMs : at - later.startedAt;
  if (own < leastWindowMs) return undefined;
  return { windowMs: own, use: { name, ...useOf(isSame ? earlier : { cpuSeconds: 0, memoryBytes: 0 }, later, own) } };
}
