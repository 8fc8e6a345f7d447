import type { Logger } from "../../src/base/log.ts";
import type { Ruleset } from "./ruleset.ts";

/** Connections that the kernel still remembers by a decision that is no longer right. UDP only: TCP ends by itself. */
export interface StaleFlow {
  serviceIp: string;
  port: number;
  /** The endpoint that has gone; undefined when the Service had none before, so that all its flows lead nowhere. */
  endpointIp?: string;
}

export type ForgetFlows = (flows: readonly StaleFlow[]) => Promise<void>;

/** What must be forgotten after going from one ruleset to the next. Pure. */
export function staleFlows(from: Ruleset, to: Ruleset): StaleFlow[] {
  const flows: StaleFlow[] = [];
  for (const [key, value] of from.elements["endpoints"]!) {
    const [serviceIp = "", protocol, port] = key.split(" . ");
    if (protocol !== "udp" || !value) continue;
    const endpointIp = value.split(" . ")[0]!;
    if (!stillServes(to, key, endpointIp)) flows.push({ serviceIp, port: Number(port), endpointIp });
  }
  for (const key of from.elements["no-endpoints"]!.keys()) {
    const [serviceIp = "", protocol, port] = key.split(" . ");
    if (protocol === "udp" && to.elements["service-ips"]!.has(key)) flows.push({ serviceIp, port: Number(port) });
  }
  return flows;
}

/** Endpoints are numbered, so the one that left may only have moved to another number. */
function stillServes(to: Ruleset, key: string, endpointIp: string): boolean {
  const base = key.slice(0, key.lastIndexOf(" . "));
  for (let i = 0; ; i++) {
    const value = to.elements["endpoints"]!.get(`${base} . ${i}`);
    if (value === undefined) return false;
    if (value.split(" . ")[0] === endpointIp) return true;
  }
}

/** Deletes flows with conntrack(8). That there was none is no error. */
export function conntrackProgram(log: Logger): ForgetFlows {
  return async (flows) => {
    for (const { serviceIp, port, endpointIp } of flows) {
      const command = ["conntrack", "-D", "-p", "udp", "--orig-dst", serviceIp, "--dport", String(port), ...(endpointIp ? ["--reply-src", endpointIp] : [])];
      try {
        await Bun.spawn(command, { stdin: "ignore", stdout: "ignore", stderr: "ignore" }).exited;
      } catch (error) {
        log.warn("old UDP flows could not be deleted: install the conntrack package", { serviceIp, port, error });
        return;
      }
    }
  };
}
