/**
 * Calls `check` until it returns without throwing, and returns its result; after `timeout` milliseconds throws what it threw last.
 * Between tries it yields for a few milliseconds, so events and timers run. The time is a bound for a machine with much else to do, not what a test takes.
 */
export async function eventually<T>(check: () => T | Promise<T>, { timeout = 60_000, interval = 5 }: { timeout?: number; interval?: number } = {}): Promise<T> {
  const deadline = performance.now() + timeout;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() >= deadline) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, interval));
  }
}
