import { isInsufficientStorage } from "../../apimachinery/status.ts";
import { logger } from "../../base/log.ts";
import type { Shortage } from "./shortage.ts";

const log = logger("datastore");

/**
 * Does what brings a cluster up to date with its server. Where the datastore has no room for that, the cluster goes on as it is, and this is
 * done as soon as there is room, unless `stopping` has aborted by then. Rejects with what else goes wrong, but for then: that is logged.
 */
export async function nowOrWithRoom(work: () => Promise<void>, { shortage, stopping }: { shortage: Shortage; stopping: AbortSignal }): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isInsufficientStorage(error) || shortage.why === undefined) throw error;
    log.error("The cluster can't be brought up to date with this server before there is room", { error });
    const unsubscribe = shortage.onChange((why) => {
      if (why !== undefined) return;
      unsubscribe();
      if (!stopping.aborted) nowOrWithRoom(work, { shortage, stopping }).catch((failure: unknown) => log.error("The cluster could not be brought up to date with this server", { error: failure }));
    });
  }
}
