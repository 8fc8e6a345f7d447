import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import type { Family } from "../../src/base/ip.ts";

const kernelSettings = "/proc/sys";

/** What routing between pods, and to them, needs of the kernel, in the order of setting. */
export function routingSysctls(families: readonly Family[], root = kernelSettings): [string, string][] {
  return [
    ...(families.includes(4) ? [["net/ipv4/ip_forward", "1"] as [string, string]] : []),
    // A router doesn't listen to other routers' advertisements, and would forget the default route it has from one: unless told to.
    ...(families.includes(6) ? [...advertised(root).map((link): [string, string] => [`net/ipv6/conf/${link}/accept_ra`, "2"]), ["net/ipv6/conf/all/forwarding", "1"] as [string, string]] : []),
    // No time for the host's end of a pod's link to look for a duplicate of its address.
    ...(families.includes(6) ? [["net/ipv6/conf/default/accept_dad", "0"] as [string, string]] : []),
  ];
}

/** Links that take router advertisements, and what new ones are like. */
function advertised(root: string): string[] {
  const directory = `${root}/net/ipv6/conf`;
  return existsSync(directory) ? readdirSync(directory).filter((link) => link !== "all" && readFileSync(`${directory}/${link}/accept_ra`, "utf8").trim() === "1") : [];
}

/** Packets come from a peer by VXLAN that would go to it by another way: its own address is not the pods'. */
export const loosePath = (link: string): [string, string][] => [[`net/ipv4/conf/${link}/rp_filter`, "2"]];

/** Sets what differs. Throws a sentence that names the setting when the kernel refuses. */
export function applySysctls(settings: readonly [string, string][], root = kernelSettings): void {
  for (const [name, value] of settings) {
    const path = `${root}/${name}`, dotted = name.replaceAll("/", ".");
    try {
      if (readFileSync(path, "utf8").trim() !== value) writeFileSync(path, value);
    } catch (error) {
      throw new Error(`the kernel setting ${dotted} must be ${value} and could not be set: run "sysctl -w ${dotted}=${value}" as root`, { cause: error });
    }
  }
}
