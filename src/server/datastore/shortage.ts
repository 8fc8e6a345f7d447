/** Whether the datastore has room for nothing new, for those who want to be told. */
export class Shortage {
  #why: string | undefined;
  readonly #handlers = new Set<(why: string | undefined) => void>();

  /** What there is no room in, and what to do about it; undefined while there is room. */
  get why(): string | undefined {
    return this.#why;
  }

  /** It begins, or (undefined) is over. */
  tell(why: string | undefined): void {
    this.#why = why;
    for (const handler of this.#handlers) handler(why);
  }

  /** Called when it begins and when it is over. Returns the unsubscription. */
  onChange(handler: (why: string | undefined) => void): () => void {
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }
}
