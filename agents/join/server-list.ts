import { logger } from "../../src/base/log.ts";

/** One server for as long as it is used. */
export interface ServerUse {
  /** Such as `https://10.0.0.1:6443`. */
  readonly url: string;
  /** Aborts once this server is given up: what hangs on it ends then. */
  readonly givenUp: AbortSignal;
}

/** The servers of the cluster, of which one is used until it fails. */
export interface ServerList {
  readonly current: ServerUse;
  readonly all: readonly string[];
  /** Those that the cluster has told of. */
  readonly told: readonly string[];
  /**
   * A server could not be reached or has stopped answering: it is the next one's turn, and what hangs on it ends, though it be the only one.
   * Told by its `givenUp`, so that what fails because of that doesn't count again.
   */
  failed(givenUp: AbortSignal): void;
  /** What the cluster says its servers are. Those that were given by the administrator stay in the list, behind them. */
  learn(urls: readonly string[]): void;
  /** Calls `listener` when another server is used, or there are others. Returns the unsubscription. */
  onChange(listener: () => void): () => void;
}

/** `given`: by the administrator; `known`: learned earlier; `onLearned` is to write them down, which may fail. */
export function createServerList({ given, known = [], onLearned = () => undefined }: { given: readonly string[]; known?: readonly string[]; onLearned?(urls: readonly string[]): void }): ServerList {
  const log = logger("join");
  let learned = [...known];
  let urls = merged();
  const listeners = new Set<() => void>();
  let controller = new AbortController();
  let current: ServerUse = { url: urls[0]!, givenUp: controller.signal };

  // Who was named by the administrator is asked first: addresses that servers tell of themselves may lead nowhere from here, behind NAT say.
  function merged(): string[] {
    return [...new Set([...given, ...learned])];
  }

  function use(url: string): void {
    const ended = controller;
    controller = new AbortController();
    current = { url, givenUp: controller.signal };
    ended.abort(new Error("the server was given up"));
    changed();
  }

  function changed(): void {
    for (const listener of listeners) listener();
  }

  return {
    get current() {
      return current;
    },
    get all() {
      return urls;
    },
    get told() {
      return learned;
    },
    failed(givenUp) {
      if (givenUp !== current.givenUp) return;
      const { url } = current;
      const next = urls[(urls.indexOf(url) + 1) % urls.length]!;
      if (next !== url) log.warn("The server does not answer, taking the next", { server: url, next });
      use(next);
    },
    learn(told) {
      if (told.length === 0 || Bun.deepEquals(told, learned)) return;
      learned = [...told];
      urls = merged();
      if (urls.includes(current.url)) changed();
      else use(urls[0]!);
      try {
        onLearned(learned);
      } catch (error) {
        // On a disk that is full, say: they are asked for at the next start again.
        log.warn("The cluster's servers are known, but could not be written down", { servers: learned, error });
      }
    },
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
