import { StatusError } from "../apimachinery/status.ts";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import type { Client, WatchEvent } from "./client.ts";

/** Whether the error says only that no server answers now: everything else is a server's word, also that it is behind of what was heard before. */
export const isServerAway = (error: unknown): boolean => error instanceof StatusError && [502, 503, 504].includes(error.code) && !isBehind(error);

/** Restored from a backup, or made anew, the server does not know the resourceVersion yet that it was asked for. */
export const isBehind = ({ status: { details } }: StatusError): boolean => (details?.causes ?? []).some(({ reason }) => reason === "ResourceVersionTooLarge");

/** Whether the server answers, as the calls of one process tell. */
export interface ServerContact {
  /** The client, which tells with each call whether there was an answer. */
  observe(client: Client): Client;
  /** Calls `handler` each time the server answers again. Returns the unsubscription. */
  onBack(handler: () => void): () => void;
}

/**
 * Tells the log once when the server has stopped answering and once when it answers again. Those who use its clients keep quiet about calls
 * that failed for that alone: without a server all of them do, again and again.
 */
export function createServerContact({ clock, log }: { clock: Clock; log: Logger }): ServerContact {
  const handlers = new Set<() => void>();
  let since: number | undefined;
  const answered = (): void => {
    if (since === undefined) return;
    log.info("The server answers again", { afterSeconds: Math.round((clock.monotonic() - since) / 1000) });
    since = undefined;
    for (const handler of handlers) handler();
  };
  const failed = (error: unknown): void => {
    if (error instanceof StatusError && !isServerAway(error)) return answered();
    if (!isServerAway(error) || since !== undefined) return;
    since = clock.monotonic();
    log.warn("The server does not answer, the node goes on with what it knows", { error });
  };
  return {
    observe: (client) => observedClient(client, { answered, failed }),
    onBack(handler) {
      handlers.add(handler);
      return () => handlers.delete(handler);
    },
  };
}

function observedClient(client: Client, { answered, failed }: { answered(): void; failed(error: unknown): void }): Client {
  async function observed<R>(call: Promise<R>): Promise<R> {
    try {
      const result = await call;
      answered();
      return result;
    } catch (error) {
      failed(error);
      throw error;
    }
  }
  async function* observedWatch<T>(events: AsyncIterable<WatchEvent<T>>): AsyncGenerator<WatchEvent<T>> {
    try {
      for await (const event of events) {
        answered();
        yield event;
      }
    } catch (error) {
      failed(error);
      throw error;
    }
  }
  return {
    get: (card, key, options) => observed(client.get(card, key, options)),
    list: (card, options) => observed(client.list(card, options)),
    create: (card, object, options) => observed(client.create(card, object, options)),
    createSubresource: (card, key, subresource, body, options) => observed(client.createSubresource(card, key, subresource, body, options)),
    update: (card, object, options) => observed(client.update(card, object, options)),
    patch: (card, key, patch, options) => observed(client.patch(card, key, patch, options)),
    delete: (card, key, options) => observed(client.delete(card, key, options)),
    deleteCollection: (card, options) => observed(client.deleteCollection(card, options)),
    watch: (card, options, signal) => observedWatch(client.watch(card, options, signal)),
  };
}
