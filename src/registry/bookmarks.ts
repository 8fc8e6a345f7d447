import type { KubeObject } from "../apimachinery/meta.ts";
import { apiVersionOf, type AnyResource } from "../apimachinery/resource.ts";

/** How often an idle watch is told how far it has come, as in Kubernetes. */
const periodMs = 60_000;

export interface BookmarkReceiver {
  card: AnyResource;
  /** Called about once a minute. `bookmark` is shared by all receivers of a kind. */
  send(bookmark: KubeObject, revision: number): void;
}

/** One timer for all watches; it stands still while nobody listens. */
export class Bookmarks {
  readonly #receivers = new Set<BookmarkReceiver>();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(readonly revision: () => number, readonly period = periodMs) {}

  /** Returns the unsubscription. */
  add(receiver: BookmarkReceiver): () => void {
    this.#receivers.add(receiver);
    this.#timer ??= this.#start();
    return () => {
      this.#receivers.delete(receiver);
      if (this.#receivers.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
  }

  #start(): ReturnType<typeof setInterval> {
    const timer = setInterval(() => this.#sendAll(), this.period);
    timer.unref();
    return timer;
  }

  #sendAll(): void {
    const revision = this.revision();
    const shared = new Map<AnyResource, KubeObject>();
    for (const receiver of this.#receivers) {
      let bookmark = shared.get(receiver.card);
      if (!bookmark) shared.set(receiver.card, bookmark = bookmarkOf(receiver.card, revision));
      receiver.send(bookmark, revision);
    }
  }
}

export const bookmarkOf = (card: AnyResource, revision: number, annotations?: Record<string, string>): KubeObject => ({
  apiVersion: apiVersionOf(card), kind: card.kind, metadata: { resourceVersion: String(revision), ...(annotations ? { annotations } : {}) },
});
