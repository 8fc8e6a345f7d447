import type { Setting, SettingValues } from "./options.ts";
import { UsageError } from "./settings.ts";

/** What clients may cost the server. The names that kube-apiserver has mean what they mean there; defaults are those of a small machine. */
export const protectionSettings = [
  { name: "enable-priority-and-fairness", type: "boolean", default: true, group: "Protection", description: "Queue requests by FlowSchemas and PriorityLevelConfigurations" },
  { name: "max-requests-inflight", type: "number", default: 80, placeholder: "requests", group: "Protection", description: "With the next one: how many requests may run at once" },
  { name: "max-mutating-requests-inflight", type: "number", default: 40, placeholder: "requests", group: "Protection", description: "Added to the former, as kube-apiserver does" },
  { name: "request-timeout", type: "number", default: 60, placeholder: "seconds", group: "Protection", description: "End requests that take longer, but for watches and connections" },
  { name: "max-connections", type: "number", default: 16384, placeholder: "connections", group: "Protection", description: "Connections open at once" },
  { name: "max-connections-per-address", type: "number", default: 4096, placeholder: "connections", group: "Protection", description: "Of them, from one address" },
  { name: "max-watches-per-user", type: "number", default: 4096, placeholder: "watches", group: "Protection", description: "Watches one user may have open" },
] as const satisfies readonly Setting[];

export interface ProtectionOptions {
  /** Seats of flow control; absent where it is off. */
  totalSeats?: number;
  requestTimeoutMs: number;
  maxConnections: number;
  maxConnectionsPerAddress: number;
  maxWatchesPerUser: number;
}

export function parseProtectionOptions(values: SettingValues): ProtectionOptions {
  const positive = (name: (typeof protectionSettings)[number]["name"]): number => {
    const number = Number(values[name] ?? protectionSettings.find((setting) => setting.name === name)!.default);
    if (!Number.isInteger(number) || number < 1) throw new UsageError(`--${name} must be a whole number above 0, not ${JSON.stringify(values[name])}`);
    return number;
  };
  const totalSeats = positive("max-requests-inflight") + positive("max-mutating-requests-inflight");
  return {
    ...(values["enable-priority-and-fairness"] === false ? {} : { totalSeats }), requestTimeoutMs: positive("request-timeout") * 1000,
    maxConnections: positive("max-connections"), maxConnectionsPerAddress: positive("max-connections-per-address"), maxWatchesPerUser: positive("max-watches-per-user"),
  };
}
