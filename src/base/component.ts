import type { Logger } from "./log.ts";

/** A part of a process with a lifetime. All methods but `start` may be left out. */
export interface Component {
  name: string;
  /** Makes what must exist before anything starts: directories, certificates. All components are initialised before the first starts. */
  init?(signal: AbortSignal): Promise<void>;
  /** Resolves once it is under way. What runs long runs on until `stop`. */
  start(signal: AbortSignal): Promise<void>;
  /** Resolves when others may rely on it. The next component starts after that. */
  ready?(signal: AbortSignal): Promise<void>;
  /** Resolves when it has drained. Called once for each component whose `start` was called, also when that failed. */
  stop?(): Promise<void>;
}

/** A component that can only be made when those before it have started. */
export function late(name: string, make: () => Component): Component {
  let made: Component | undefined;
  return { name, start: (signal) => (made = make()).start(signal), stop: async () => made?.stop?.() };
}

export interface ComponentManager {
  /** Initialises all in order, then starts each and waits for it to be ready. When one fails, those started are stopped and the error is thrown. */
  start(signal: AbortSignal): Promise<void>;
  /** Stops in the reverse of the order of starting. Errors are logged, and never keep the next from stopping. */
  stop(): Promise<void>;
}

export function componentManager(components: readonly Component[], log: Logger): ComponentManager {
  const started: Component[] = [];

  async function stop(): Promise<void> {
    for (let component = started.pop(); component; component = started.pop()) {
      try {
        await component.stop?.();
        log.debug("Component stopped", { component: component.name });
      } catch (error) {
        log.error("Component failed to stop", { component: component.name, error });
      }
    }
  }

  async function start(signal: AbortSignal): Promise<void> {
    try {
      for (const component of components) {
        signal.throwIfAborted();
        await component.init?.(signal);
      }
      for (const component of components) {
        signal.throwIfAborted();
        started.push(component);
        await component.start(signal);
        await component.ready?.(signal);
        log.debug("Component ready", { component: component.name });
      }
    } catch (error) {
      await stop();
      throw error;
    }
  }

  return { start, stop };
}
