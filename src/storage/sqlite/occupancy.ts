/** Says to both threads that work on the file whether a checkpoint is under way that one of them began. */
export class Occupancy {
  readonly #state: Int32Array<SharedArrayBuffer>;

  constructor(readonly memory: SharedArrayBuffer = new SharedArrayBuffer(4)) {
    this.#state = new Int32Array(memory);
  }

  begin(): void {
    Atomics.store(this.#state, 0, 1);
  }

  end(): void {
    Atomics.store(this.#state, 0, 0);
    Atomics.notify(this.#state, 0);
  }

  /** Blocks until there is none, for `ms` at most; false when there still is one. Not for the main thread, unless `ms` is 0. */
  wait(ms: number): boolean {
    if (Atomics.load(this.#state, 0) === 0) return true;
    return ms > 0 && Atomics.wait(this.#state, 0, 1, ms) !== "timed-out";
  }
}
