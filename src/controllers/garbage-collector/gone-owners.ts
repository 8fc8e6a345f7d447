/**
 * Owners whose end was seen while others depended on them: their dependents needn't ask the server, even when the kind has gone with them.
 * A uid never comes back. Holds the latest ones.
 */
export class GoneOwners {
  readonly #uids = new Set<string>();
  readonly #most: number;

  constructor(most = 500) {
    this.#most = most;
  }

  add(uid: string): void {
    this.#uids.delete(uid);
    this.#uids.add(uid);
    if (this.#uids.size > this.#most) this.#uids.delete(this.#uids.values().next().value!);
  }

  has(uid: string): boolean {
    return this.#uids.has(uid);
  }
}
