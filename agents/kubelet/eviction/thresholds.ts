import { parseGoDuration } from "../../../src/base/go-duration.ts";
import { compareQuantities, value } from "../../../src/apimachinery/quantity.ts";

/** What of the node may run short. Source: https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#eviction-signals. */
export const signals = ["memory.available", "nodefs.available", "nodefs.inodesFree", "imagefs.available", "imagefs.inodesFree", "pid.available"] as const;
export type Signal = (typeof signals)[number];

export type Pressure = "MemoryPressure" | "DiskPressure" | "PIDPressure";
export const pressureOf: Readonly<Record<Signal, Pressure>> = {
  "memory.available": "MemoryPressure", "nodefs.available": "DiskPressure", "nodefs.inodesFree": "DiskPressure", "imagefs.available": "DiskPressure", "imagefs.inodesFree": "DiskPressure", "pid.available": "PIDPressure",
};

/** As evictions' messages call what is short. */
export type Resource = "memory" | "ephemeral-storage" | "inodes" | "pids";
export const resourceOf: Readonly<Record<Signal, Resource>> = {
  "memory.available": "memory", "nodefs.available": "ephemeral-storage", "nodefs.inodesFree": "inodes", "imagefs.available": "ephemeral-storage", "imagefs.inodesFree": "inodes", "pid.available": "pids",
};

/** Bytes, inodes or processes; or a share of all there are, between 0 and 1. */
export type Amount = { readonly units: number } | { readonly share: number };

/** Below `amount` the node is short of what the signal tells. */
export interface Threshold {
  signal: Signal;
  amount: Amount;
  /** How long it has to be so; 0 for a hard threshold, whose pods are given no time. */
  graceMs: number;
  /** How much more than the threshold is to be free again, before it counts as resolved. */
  minimumReclaim?: Amount;
}

export interface Observation {
  available: number;
  capacity: number;
}
export type Observations = ReadonlyMap<Signal, Observation>;

export const unitsOf = (amount: Amount, capacity: number): number => ("units" in amount ? amount.units : Math.floor(amount.share * capacity));

/** Whether it falls short of the threshold; with `withReclaim`, of what is to be free again. What nobody could observe is not short. */
export function isMet({ signal, amount, minimumReclaim }: Threshold, observations: Observations, withReclaim = false): boolean {
  const observed = observations.get(signal);
  if (!observed) return false;
  return observed.available < unitsOf(amount, observed.capacity) + (withReclaim && minimumReclaim ? unitsOf(minimumReclaim, observed.capacity) : 0);
}

/** As the flags of a kubelet are written: `memory.available<100Mi`, `memory.available=1m30s`, `nodefs.available=10%`. */
export interface ThresholdSettings {
  hard: readonly string[];
  soft?: readonly string[];
  softGracePeriod?: readonly string[];
  minimumReclaim?: readonly string[];
}

/** K3s' choice for disks, which are small on the machines it runs on; Kubernetes' for memory. */
export const defaultThresholds: ThresholdSettings = {
  hard: ["memory.available<100Mi", "nodefs.available<5%", "nodefs.inodesFree<5%", "imagefs.available<5%", "imagefs.inodesFree<5%", "pid.available<10%"],
  minimumReclaim: ["nodefs.available=5%", "imagefs.available=5%"],
};

/** Throws an Error that names the first mistake. */
export function parseThresholds({ hard, soft = [], softGracePeriod = [], minimumReclaim = [] }: ThresholdSettings): Threshold[] {
  const reclaims = new Map(minimumReclaim.map((text) => split(text, "=", parseAmount)));
  const graces = new Map(softGracePeriod.map((text) => split(text, "=", parseGrace)));
  const threshold = (text: string, graceOf: (signal: Signal) => number): Threshold[] => {
    const [signal, amount] = split(text, "<", parseAmount);
    // Kubernetes' way to turn one off.
    if ("share" in amount && (amount.share === 0 || amount.share === 1)) return [];
    if ("units" in amount && amount.units === 0) throw new Error(`${text}: the amount must be positive`);
    return [{ signal, amount, graceMs: graceOf(signal), ...(reclaims.has(signal) ? { minimumReclaim: reclaims.get(signal)! } : {}) }];
  };
  return [
    ...hard.flatMap((text) => threshold(text, () => 0)),
    ...soft.flatMap((text) => threshold(text, (signal) => {
      if (!graces.has(signal)) throw new Error(`grace period must be specified for the soft eviction threshold ${signal}`);
      return graces.get(signal)!;
    })),
  ];
}

function split<T>(text: string, separator: string, parse: (value: string) => T): [Signal, T] {
  const [name, amount, ...rest] = text.split(separator).map((part) => part.trim());
  const signal = signals.find((each) => each === name);
  if (!signal) throw new Error(`unknown eviction signal in ${JSON.stringify(text)}: there are ${signals.join(", ")}`);
  if (!amount || rest.length > 0) throw new Error(`${JSON.stringify(text)} must be written as ${signal}${separator}value`);
  return [signal, parse(amount)];
}

function parseAmount(text: string): Amount {
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(text)?.[1];
  if (percent !== undefined) {
    const share = Number(percent) / 100;
    if (share > 1) throw new Error(`${text} must not be more than 100%`);
    return { share };
  }
  if (compareQuantities(text, 0) < 0) throw new Error(`${text} must not be negative`);
  return { units: value(text) };
}

function parseGrace(text: string): number {
  const ms = parseGoDuration(text);
  if (ms <= 0) throw new Error(`${JSON.stringify(text)} must be a positive duration, such as 1m30s`);
  return ms;
}
