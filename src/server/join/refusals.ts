import type { Logger } from "../../base/log.ts";

export interface Refusal {
  node: string;
  address: string;
  error: Error;
}

/** So many machines are remembered, those that were refused last. */
const mostRemembered = 1000;

/** Tells the log of machines that are not let in: once of each for the same reason, however often it tries again. */
export function refusalLog(log: Logger): { refused(refusal: Refusal): void; admitted(machine: Pick<Refusal, "node" | "address">): void } {
  const told = new Map<string, string>();
  const keyOf = ({ node, address }: Pick<Refusal, "node" | "address">): string => `${node} ${address}`;
  return {
    refused(refusal) {
      const key = keyOf(refusal), { message } = refusal.error;
      const before = told.get(key);
      told.delete(key);
      told.set(key, message);
      if (told.size > mostRemembered) told.delete(told.keys().next().value!);
      if (before !== message) log.warn("A machine was not let in", { ...refusal });
    },
    admitted: (machine) => void told.delete(keyOf(machine)),
  };
}
