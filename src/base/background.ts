import type { Component } from "./component.ts";

/**
 * A component from a loop: `run` goes on until its signal aborts, and has drained when it resolves. When it fails before it was asked to
 * stop, `onFailure` hears of it once; whoever waits for `ready` gets the error too.
 */
export function background(name: string, run: (signal: AbortSignal) => Promise<void>, { ready = Promise.resolve(), onFailure }: { ready?: Promise<void>; onFailure: (error: unknown) => void }): Component {
  const stop = new AbortController();
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => undefined);
  let running: Promise<void> | undefined;
  return {
    name,
    async start() {
      running = run(stop.signal).catch((error: unknown) => {
        if (stop.signal.aborted) return;
        failure.reject(error);
        onFailure(error);
      });
    },
    async ready(signal) {
      const interrupted = Promise.withResolvers<never>();
      const onAbort = (): void => interrupted.reject(signal.reason);
      signal.addEventListener("abort", onAbort, { once: true });
      try {
        await Promise.race([ready, failure.promise, interrupted.promise]);
      } finally {
        signal.removeEventListener("abort", onAbort);
      }
    },
    async stop() {
      stop.abort();
      await running;
    },
  };
}
