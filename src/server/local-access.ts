import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { ensureFile, ensureFileOnFullDisk, isDiskFull } from "../base/files.ts";
import { logger } from "../base/log.ts";
import type { ServerOptions } from "./options.ts";

const log = logger("server");
const retryMs = 10 * 60_000;

export interface LocalAccessDependencies {
  options: Pick<ServerOptions, "dataDir" | "disableAgent" | "nodeName" | "writeKubeconfig" | "writeKubeconfigMode">;
  /** The administrator's, as it is now. */
  kubeconfig(): string;
  clock: Clock;
  stopping: AbortSignal;
}

/**
 * What kubectl and Skiff's own commands on this machine find the server by: returns what writes it, as far as it is not there already. A full
 * disk is no reason not to serve: it is logged, and tried again until `stopping` aborts. Throws what is wrong otherwise.
 */
export function localAccess({ options: { dataDir, disableAgent, nodeName, writeKubeconfig, writeKubeconfigMode }, kubeconfig, clock, stopping }: LocalAccessDependencies): () => void {
  let waiting = false;
  const write = (): void => {
    try {
      // For "skiff status", which waits for this machine's own node, and for none where there is none.
      ensureFile(join(dataDir, "server/node-name"), disableAgent ? "" : `${nodeName}\n`);
      ensureFileOnFullDisk(writeKubeconfig, kubeconfig(), writeKubeconfigMode);
      ensureFile(join(dataDir, "server/kubeconfig-path"), `${writeKubeconfig}\n`);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      if (!waiting) log.warn("The disk is full: kubectl on this machine may not find the server until there is room for its kubeconfig", { kubeconfig: writeKubeconfig, error });
      later();
    }
  };
  const later = (): void => {
    if (waiting) return;
    waiting = true;
    clock.sleep(retryMs, stopping).then(() => {
      waiting = false;
      write();
    }).catch((error: unknown) => {
      if (!stopping.aborted) log.error("The kubeconfig could not be written", { error });
    });
  };
  return write;
}
