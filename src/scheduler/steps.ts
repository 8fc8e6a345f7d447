/** Work that is done in one go unless it has to wait: then it yields what it waits for, and goes on with what came of that. */
export type Steps<T> = Generator<Promise<unknown>, T, unknown>;

export function* wait<T>(promise: Promise<T>): Steps<T> {
  return (yield promise) as T;
}

/** Does the work. A promise only if it had to wait. */
export function run<T>(steps: Steps<T>): T | Promise<T> {
  const first = steps.next();
  return first.done ? first.value : goOn(steps, first.value);
}

async function goOn<T>(steps: Steps<T>, awaited: Promise<unknown>): Promise<T> {
  for (let pending = awaited; ;) {
    const step = await pending.then((value) => () => steps.next(value), (error: unknown) => () => steps.throw(error)).then((resume) => resume());
    if (step.done) return step.value;
    pending = step.value;
  }
}
