import type { Clock } from "../base/clock.ts";
import { logger } from "../base/log.ts";
import type { KubeObject } from "../apimachinery/meta.ts";
import type { ResourceCard } from "../apimachinery/resource.ts";
import type { Client } from "./client.ts";
import type { Informer, InformerFactory } from "./informer.ts";
import type { ServerContact } from "./outage.ts";
import { collectionName, type ObjectKeeper, type Scope } from "./object-keeper.ts";
import { ObjectStore } from "./object-store.ts";
import { reflect } from "./reflector.ts";

export interface ReflectingInformersOptions {
  client: Client;
  clock: Clock;
  contact?: Pick<ServerContact, "onBack">;
  /** Informers begin with what they knew when the process last ran, and go on watching from there. */
  keeper?: ObjectKeeper;
  /**
   * Kinds of which what was known is not good enough while the server can be asked: they are listed at the start, and what was known counts
   * only once the server has kept silent for `patienceMs`. Whatever the server says later is followed as always.
   */
  askFirst?: readonly ResourceCard<any>[];
}

/** How long a server's word is waited for before what was known counts. */
export const patienceMs = 2000;

export interface ReflectingInformers extends InformerFactory {
  /** Resolves when all have stopped, after `signal` has aborted. */
  stopped(): Promise<void>;
}

/** Informers over any Client by list and watch: for agents, whose server is elsewhere. Each begins when first asked for and ends with `signal`. */
export function createReflectingInformers({ client, clock, contact, keeper, askFirst = [] }: ReflectingInformersOptions, signal: AbortSignal): ReflectingInformers {
  const informers = new Map<string, Informer<any>>();
  const running: Promise<void>[] = [];
  const log = logger("reflector");

  function start<T extends KubeObject>(card: ResourceCard<T>, scope: Scope): Informer<T> {
    const store = new ObjectStore<T>(keeper?.collection(card, scope));
    const isKnown = store.resourceVersion !== "", asksFirst = askFirst.includes(card);
    const synced = Promise.withResolvers<void>();
    if (isKnown && !asksFirst) synced.resolve();
    if (isKnown && asksFirst) void clock.sleep(patienceMs, signal).then(synced.resolve, () => {});
    running.push(reflect({ client, card, scope, store, clock, log, ...(contact ? { contact } : {}), resume: isKnown && !asksFirst, onListed: synced.resolve }, signal));
    return {
      lister: store,
      onChange: (handler) => store.onChange(handler),
      synced: (until) => (until ? Promise.race([synced.promise, aborted(until)]) : synced.promise),
    };
  }

  return {
    informer<T extends KubeObject>(card: ResourceCard<T>, scope: Scope = {}): Informer<T> {
      const id = collectionName(card, scope);
      const informer = informers.get(id) ?? start(card, scope);
      informers.set(id, informer);
      return informer;
    },
    async stopped() {
      await Promise.all(running);
    },
  };
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
