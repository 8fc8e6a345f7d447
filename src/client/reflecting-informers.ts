import type { Clock } from "../base/clock.ts";
import { logger } from "../base/log.ts";
import type { KubeObject } from "../apimachinery/meta.ts";
import type { ResourceCard } from "../apimachinery/resource.ts";
import type { Client } from "./client.ts";
import type { Informer, InformerFactory } from "./informer.ts";
import { ObjectStore } from "./object-store.ts";
import { reflect } from "./reflector.ts";

export interface ReflectingInformers extends InformerFactory {
  /** Resolves when all have stopped, after `signal` has aborted. */
  stopped(): Promise<void>;
}

/** Informers over any Client by list and watch: for agents, whose server is elsewhere. Each begins when first asked for and ends with `signal`. */
export function createReflectingInformers({ client, clock }: { client: Client; clock: Clock }, signal: AbortSignal): ReflectingInformers {
  const informers = new Map<string, Informer<any>>();
  const running: Promise<void>[] = [];
  const log = logger("reflector");

  function start<T extends KubeObject>(card: ResourceCard<T>, scope: Parameters<InformerFactory["informer"]>[1] & object): Informer<T> {
    const store = new ObjectStore<T>();
    const listed = Promise.withResolvers<void>();
    running.push(reflect({ client, card, scope, store, clock, log, onListed: listed.resolve }, signal));
    return {
      lister: store,
      onChange: (handler) => store.onChange(handler),
      synced: (until) => (until ? Promise.race([listed.promise, aborted(until)]) : listed.promise),
    };
  }

  return {
    informer<T extends KubeObject>(card: ResourceCard<T>, scope = {}): Informer<T> {
      const { namespace = "", fieldSelector = "", labelSelector = "" } = scope as { namespace?: string; fieldSelector?: string; labelSelector?: string };
      const id = [card.group, card.version, card.resource, namespace, fieldSelector, labelSelector].join("\0");
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
