import type { Api } from "./api.ts";
import { ServerError } from "./errors.ts";
import { linesOf } from "./lines.ts";
import type { PlainObject } from "./objects.ts";

export interface WatchEvent {
  type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK";
  object: PlainObject;
}

/** Changes as they come, until `signal` or the server ends the watch. Throws what the server tells instead of a change. */
export async function* watchEvents(api: Api, path: string, query: Record<string, string | undefined>, { accept, signal }: { accept?: string; signal?: AbortSignal } = {}): AsyncGenerator<WatchEvent> {
  const stream = await api.stream(path, { query: { ...query, watch: true }, ...(accept ? { accept } : {}), ...(signal ? { signal } : {}) });
  for await (const line of linesOf(stream)) {
    const event = JSON.parse(line) as WatchEvent | { type: "ERROR"; object: ServerError["status"] };
    if (event.type === "ERROR") throw new ServerError(event.object as ServerError["status"]);
    yield event as WatchEvent;
  }
}
