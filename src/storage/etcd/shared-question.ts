/** A question that callers who come together share, so long as it is put to the other side after each of them came. */
export class SharedQuestion<T> {
  #asked: Promise<T> | undefined;
  #next: Promise<T> | undefined;
  constructor(private readonly put: () => Promise<T>) {}

  ask(): Promise<T> {
    if (!this.#asked) return this.#begin();
    // One that is under way may have been answered before this caller's moment: it needs the next.
    return (this.#next ??= this.#asked.then(() => this.#begin(), () => this.#begin()));
  }

  #begin(): Promise<T> {
    this.#next = undefined;
    const asked = this.put().finally(() => {
      if (this.#asked === asked && !this.#next) this.#asked = undefined;
    });
    return (this.#asked = asked);
  }
}
