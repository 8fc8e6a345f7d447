import { keyOf, type KubeObject } from "../../../apimachinery/meta.ts";
import type { ResourceCard } from "../../../apimachinery/resource.ts";
import type { Lister } from "../../../client/informer.ts";
import type { Handle } from "../../framework.ts";

const watchAgainAfter = 1000;

/** Tells of changes of single objects of a kind, by one watch of the kind for as long as anybody wants to know. */
export class Changes {
  readonly #followers = new Map<string, Set<() => void>>();
  #stop: AbortController | undefined;
  readonly #lister: Lister<KubeObject>;

  constructor(private readonly card: ResourceCard<any>, private readonly handle: Handle) {
    this.#lister = handle.lister<KubeObject>(card);
  }

  /** Calls `wake` after each change of the object, and when some may have been missed; until what is returned is called. */
  follow(key: string, wake: () => void): () => void {
    const followers = this.#followers.get(key) ?? new Set();
    this.#followers.set(key, followers.add(wake));
    this.#stop ??= this.#begin();
    return () => {
      followers.delete(wake);
      if (followers.size === 0 && this.#followers.get(key) === followers) this.#followers.delete(key);
      if (this.#followers.size > 0) return;
      this.#stop?.abort();
      this.#stop = undefined;
    };
  }

  #begin(): AbortController {
    const stop = new AbortController();
    this.handle.inBackground(this.#watch(stop.signal));
    return stop;
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { client, clock } = this.handle;
    while (!signal.aborted) {
      try {
        for await (const event of client.watch<KubeObject>(this.card, { resourceVersion: this.#lister.resourceVersion }, signal)) {
          for (const wake of this.#followers.get(keyOf(event.object)) ?? []) wake();
        }
      } catch {
        await clock.sleep(watchAgainAfter, signal).catch(() => undefined);
      }
      if (!signal.aborted) for (const followers of this.#followers.values()) for (const wake of followers) wake();
    }
  }
}
