import { methodNotAllowed } from "../../apimachinery/status.ts";
import type { HttpHandler } from "../../base/http.ts";
import { logger } from "../../base/log.ts";
import type { Backup } from "./backup.ts";

export const backupPath = "/v1-skiff/backup";

const log = logger("backup");

/** GET streams a backup; a response that breaks off is none. To be guarded: whoever has it is the cluster. */
export function backupHandler(create: () => Backup): HttpHandler {
  return async (request, response) => {
    if (request.method !== "GET") throw methodNotAllowed();
    const { archive, summary } = create();
    const reader = archive.getReader();
    request.signal.addEventListener("abort", () => void reader.cancel().catch(() => undefined), { once: true });
    const stream = response.stream(200, { "Content-Type": "application/x-tar", "Cache-Control": "no-store" });
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (request.signal.aborted) return;
        if (done) break;
        if (!stream.write(value)) await stream.drained();
      }
      stream.end();
      log.info("A backup was taken", { ...summary() });
    } catch (error) {
      if (!request.signal.aborted) log.error("A backup could not be made", { error });
      stream.abort();
    }
  };
}
