import { readFileSync, writeFileSync } from "node:fs";
import type { Logger } from "../../src/base/log.ts";

/**
 * Lets what the node sends from 127.0.0.1 leave by the interface of a pod, for its host ports answer on loopback too. The kernel allows that
 * by interface (route_localnet); nothing comes in to loopback by it, for the base table drops what is sent there from elsewhere.
 */
export function openLoopback(podIp: string, log: Logger): void {
  const name = interfaceTo(podIp, readFileSync("/proc/thread-self/net/route", "utf8"));
  if (!name) return;
  const setting = `/proc/sys/net/ipv4/conf/${name}/route_localnet`;
  try {
    if (readFileSync(setting, "utf8").trim() !== "1") writeFileSync(setting, "1");
  } catch (error) {
    log.warn("a host port does not answer on 127.0.0.1: the kernel setting route_localnet could not be set", { interface: name, error });
  }
}

/** The interface of the route to one IPv4 address alone, from what /proc/net/route says. Pure. */
export function interfaceTo(ip: string, routes: string): string | undefined {
  const wanted = ip.split(".").map((part) => Number(part).toString(16).padStart(2, "0")).reverse().join("").toUpperCase();
  for (const line of routes.split("\n").slice(1)) {
    const [name, destination, , , , , , mask] = line.split("\t");
    if (destination === wanted && mask === "FFFFFFFF") return name;
  }
  return undefined;
}
