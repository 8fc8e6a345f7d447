import { type Component, componentManager } from "../base/component.ts";
import { logger } from "../base/log.ts";
import { takeProxyVariables } from "../base/proxy/environment.ts";
import { notifyInit } from "./notify.ts";

export interface ProcessContext {
  /** Aborts when the process is asked to stop. */
  stopping: AbortSignal;
  /** A part has ended by an error that can't be gone on from: the process stops, and `runProcess` rejects with it. */
  fail(what: string, error: unknown): void;
}

/**
 * Runs components until SIGTERM or SIGINT, or until one fails, then stops them in the reverse order; pods keep running.
 * `up` is called once all have started; what it returns is the status that the init system shows.
 */
export async function runProcess(name: string, make: (context: ProcessContext) => { components: Component[]; up(): string }): Promise<void> {
  takeProxyVariables();
  const log = logger(name);
  const stopping = new AbortController();
  let fatal: Error | undefined;
  const fail = (what: string, error: unknown): void => {
    log.error(what, { error });
    fatal ??= error instanceof Error ? error : new Error(String(error));
    stopping.abort();
  };
  const stop = (): void => stopping.abort();
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  process.on("unhandledRejection", (error) => log.error("unexpected error", { error }));

  const { components, up } = make({ stopping: stopping.signal, fail });
  const manager = componentManager(components, log);
  try {
    await manager.start(stopping.signal);
    notifyInit(`READY=1\nSTATUS=${up()}`);
    await aborted(stopping.signal);
  } catch (error) {
    if (!stopping.signal.aborted) throw error;
  } finally {
    notifyInit("STOPPING=1");
    log.info("stopping; pods keep running");
    stopping.abort();
    await manager.stop();
  }
  if (fatal) throw fatal;
}

const aborted = (signal: AbortSignal): Promise<void> => new Promise((resolve) => (signal.aborted ? resolve() : signal.addEventListener("abort", () => resolve(), { once: true })));
