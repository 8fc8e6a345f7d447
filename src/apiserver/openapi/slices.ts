/** Work of many small steps, each followed by a `yield`. */
export type Steps<T> = Generator<void, T>;

/** Longer than this nothing else waits. */
const sliceMs = 8;

/** Does the work a slice at a time, with everything else that has to be done in between. */
export async function inSlices<T>(work: Steps<T>): Promise<T> {
  for (;;) {
    const until = performance.now() + sliceMs;
    do {
      const step = work.next();
      if (step.done) return step.value;
    } while (performance.now() < until);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
