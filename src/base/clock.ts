/** Time as a dependency, so that tests can move it. */
export interface Clock {
  /** Wall time, in milliseconds since the Unix epoch: for what is written into objects. It jumps when the clock is set. */
  now(): number;
  /** Milliseconds since some fixed moment, which never jump: for delays and durations. */
  monotonic(): number;
  /** Resolves after `ms` milliseconds; rejects with the signal's reason as soon as `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The longest that a timer takes; it ends at once for more. */
const longestTimerMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) => new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    let left = ms;
    const rest = (): void => {
      const part = Math.min(left, longestTimerMs);
      left -= part;
      timer = setTimeout(() => {
        if (left > 0) return rest();
        signal?.removeEventListener("abort", onAbort);
        resolve();
      }, part);
    };
    let timer: ReturnType<typeof setTimeout>;
    rest();
    signal?.addEventListener("abort", onAbort, { once: true });
  }),
};
