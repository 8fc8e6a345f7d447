import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";

/** The IPv4 address that other machines see: of the interface with the default route, else the first that is not loopback. */
export function defaultAddress(): string | undefined {
  const interfaces = networkInterfaces();
  const addressOf = (name: string | undefined): string | undefined => (name ? interfaces[name]?.find((a) => a.family === "IPv4" && !a.internal)?.address : undefined);
  return addressOf(defaultRouteInterface()) ?? Object.keys(interfaces).map(addressOf).find(Boolean);
}

function defaultRouteInterface(): string | undefined {
  const routes = readFileSync("/proc/net/route", "utf8").split("\n").slice(1).map((line) => line.split("\t"));
  return routes.filter(([, destination, , , , , , mask]) => destination === "00000000" && mask === "00000000").sort((a, b) => Number(a[6]) - Number(b[6]))[0]?.[0];
}
