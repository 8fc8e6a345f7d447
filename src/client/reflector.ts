import { Backoff } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import { keyOf, type Frozen, type KubeObject } from "../apimachinery/meta.ts";
import type { ResourceCard } from "../apimachinery/resource.ts";
import { StatusError } from "../apimachinery/status.ts";
import type { Client, ListOptions } from "./client.ts";
import type { ObjectStore } from "./object-store.ts";
import { isBehind, isServerAway, type ServerContact } from "./outage.ts";

export interface ReflectorOptions<T extends KubeObject> {
  client: Client;
  card: ResourceCard<T>;
  scope: Pick<ListOptions, "namespace" | "fieldSelector" | "labelSelector">;
  store: ObjectStore<T>;
  clock: Clock;
  log: Logger;
  /** Called after each complete list. */
  onListed(): void;
  /** Called when the server could not be asked. */
  onFailed?(): void;
  /** Where the server is heard of, by whatever call: then the next try is made at once. */
  contact?: Pick<ServerContact, "onBack">;
  /** The store is complete as of its resourceVersion: watching goes on from there, without a list. */
  resume?: boolean;
}

const pageSize = 500;
/** A watch is renewed after five to ten minutes, so that many of them don't renew at once (client-go's minWatchTimeout). */
const watchSeconds = (): number => Math.round(300 * (1 + Math.random()));

/** A watch that has lasted so long, in milliseconds, was one, though nothing changed. */
const wellAfter = 10_000;

/** Keeps `store` like the server's: list, then watch from that resourceVersion on; lists again when the server forgot it (410). Ends with `signal`. */
export async function reflect<T extends KubeObject>(options: ReflectorOptions<T>, signal: AbortSignal): Promise<void> {
  const { clock, log, card, store } = options;
  const backoff = new Backoff({ base: 800, max: 30_000, jitter: 1 });
  let listed = options.resume ?? false;
  while (!signal.aborted) {
    try {
      if (!listed) await until(list(options), signal);
      listed = true;
      const opened = clock.monotonic();
      let told = false;
      try {
        await watch(options, () => { told = true; }, signal);
      } finally {
        // The server was well, however it ended: the next watch may begin at once, or soon.
        if (told || clock.monotonic() - opened > wellAfter) backoff.reset();
      }
      if (!told) await clock.sleep(backoff.next(), signal);
    } catch (error) {
      if (signal.aborted) return;
      if (listed && isExpired(error)) {
        log.debug("Listing again, the watch is too old", { resource: card.resource, resourceVersion: store.resourceVersion });
        listed = false;
        continue;
      }
      options.onFailed?.();
      log[isServerAway(error) ? "debug" : "warn"]("Cannot list or watch, will try again", { resource: card.resource, error });
      const back = new AbortController();
      const unsubscribe = options.contact?.onBack(() => back.abort());
      await clock.sleep(backoff.next(), AbortSignal.any([signal, back.signal])).catch(() => {});
      unsubscribe?.();
      if (back.signal.aborted) backoff.reset();
    }
  }
}

/** Nobody waits for an answer that is no longer wanted. */
function until<R>(work: Promise<R>, signal: AbortSignal): Promise<R> {
  const over = Promise.withResolvers<never>();
  const onAbort = (): void => over.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  return Promise.race([work, over.promise]).finally(() => signal.removeEventListener("abort", onAbort));
}

async function list<T extends KubeObject>({ client, card, scope, store, onListed }: ReflectorOptions<T>): Promise<void> {
  const items: Frozen<T>[] = [];
  let page = await client.list(card, { ...scope, limit: pageSize });
  items.push(...page.items);
  while (page.metadata.continue) {
    page = await client.list(card, { ...scope, limit: pageSize, continue: page.metadata.continue });
    items.push(...page.items);
  }
  store.resourceVersion = page.metadata.resourceVersion;
  store.replace(items);
  onListed();
}

async function watch<T extends KubeObject>({ client, card, scope, store }: ReflectorOptions<T>, onTold: () => void, signal: AbortSignal): Promise<void> {
  const options = { ...scope, resourceVersion: store.resourceVersion, allowWatchBookmarks: true, timeoutSeconds: watchSeconds(), known: (key: string) => store.get(key) as Frozen<KubeObject> | undefined };
  for await (const event of client.watch(card, options, signal)) {
    onTold();
    const object = event.object as Frozen<KubeObject>;
    store.resourceVersion = object.metadata.resourceVersion ?? store.resourceVersion;
    if (event.type === "DELETED") store.delete(keyOf(object), event.object);
    else if (event.type !== "BOOKMARK") store.set(event.object);
  }
}

/** The server has forgotten that resourceVersion, or never knew it: restored from a backup, it is behind of what was heard from it before. */
const isExpired = (error: unknown): boolean => error instanceof StatusError && (error.code === 410 || isBehind(error));
