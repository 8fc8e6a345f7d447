import { readFileSync } from "node:fs";

/** What went through an interface since it was made. */
export interface InterfaceUsage {
  name: string;
  rxBytes: number;
  rxPackets: number;
  rxErrors: number;
  rxDropped: number;
  txBytes: number;
  txPackets: number;
  txErrors: number;
  txDropped: number;
}

/** The interfaces of a process's network namespace, less loopback; undefined when the process has gone. */
export function interfacesOf(pid: number | "self", proc = "/proc"): InterfaceUsage[] | undefined {
  try {
    return parseNetDev(readFileSync(`${proc}/${pid}/net/dev`, "utf8"));
  } catch {
    return undefined;
  }
}

export function parseNetDev(text: string): InterfaceUsage[] {
  return [...text.matchAll(/^\s*([^\s:]+):\s*(.*)$/gm)].filter(([, name]) => name !== "lo").map(([, name, rest]) => {
    const [rxBytes = 0, rxPackets = 0, rxErrors = 0, rxDropped = 0, , , , , txBytes = 0, txPackets = 0, txErrors = 0, txDropped = 0] = rest!.trim().split(/\s+/).map(Number);
    return { name: name!, rxBytes, rxPackets, rxErrors, rxDropped, txBytes, txPackets, txErrors, txDropped };
  });
}

/** The one of the default route, by which a node is known to the outside. */
export function defaultInterface(route = readFileSync("/proc/net/route", "utf8")): string | undefined {
  const unlimited = "00000000";
  return route.split("\n").slice(1).map((line) => line.split("\t")).find(([, destination, , , , , , mask]) => destination === unlimited && mask === unlimited)?.[0];
}
