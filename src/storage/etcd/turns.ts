/** Lets work of different keys happen together, up to a number, and that of one key in the order it came in. */
export class Turns {
  #last = new Map<string, Promise<unknown>>();
  #running = 0;
  #queue: (() => void)[] = [];
  #drained: (() => void)[] = [];
  #taken = 0;
  constructor(private readonly most: number) {}

  async take<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    this.#taken++;
    const mine = (async () => {
      await before?.catch(() => {});
      await this.#enter();
      try {
        return await work();
      } finally {
        this.#leave();
      }
    })();
    this.#last.set(key, mine);
    try {
      return await mine;
    } finally {
      if (this.#last.get(key) === mine) this.#last.delete(key);
      if (--this.#taken === 0) for (const tell of this.#drained.splice(0)) tell();
    }
  }

  /** Resolves when nothing is left of what has been taken. */
  async drained(): Promise<void> {
    if (this.#taken > 0) await new Promise<void>((resolve) => this.#drained.push(resolve));
  }

  async #enter(): Promise<void> {
    if (this.#running >= this.most) await new Promise<void>((resolve) => this.#queue.push(resolve));
    else this.#running++;
  }

  #leave(): void {
    const next = this.#queue.shift();
    if (next) next();
    else this.#running--;
  }
}
