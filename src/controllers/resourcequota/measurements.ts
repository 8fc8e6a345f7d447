/** Charges whose write failed later are found this long after the first, in milliseconds. */
const recheck = 5 * 60_000;

/** When the use of each quota is to be measured, in time that passes. */
export class Measurements {
  readonly #due = new Map<string, number>();
  /** Quotas whose status is being written by us. */
  readonly #writing = new Set<string>();

  /** Something says that the use has changed, or was never known. */
  now(key: string): void {
    this.#due.set(key, -Infinity);
  }

  /** Admission has charged what is about to be written: that must not be measured before it is. Returns whether this is news. */
  charged(key: string, now: number): boolean {
    if (this.#due.has(key) || this.#writing.has(key)) return false;
    this.#due.set(key, now + recheck);
    return true;
  }

  /** In how many milliseconds to measure; undefined when there is nothing to. */
  wait(key: string, now: number): number | undefined {
    const due = this.#due.get(key);
    return due === undefined ? undefined : Math.max(0, due - now);
  }

  /** Measures, by `work`, and writes: after that nothing is due but what changed meanwhile. */
  async done(key: string, work: () => Promise<void>): Promise<void> {
    this.#due.delete(key);
    this.#writing.add(key);
    try {
      await work();
    } catch (error) {
      this.now(key);
      throw error;
    } finally {
      this.#writing.delete(key);
    }
  }

  forget(key: string): void {
    this.#due.delete(key);
  }
}
