import type { Transaction } from "nftables-js";

/** An element of a set, or of a map when it has a value. */
export interface SetElement {
  set: string;
  key: string;
  value?: string;
}

interface Claim {
  owner: string;
  value: string | undefined;
}

/** What one key holds: nothing, or a value, which sets leave undefined. */
type Held = { value: string | undefined } | undefined;

/**
 * Which elements are wanted, by whom, and which of them the kernel doesn't have yet. Two pods may claim one address for a moment,
 * when it was given to the second before the first was forgotten: the later claim counts, and the earlier one again when that goes.
 */
export class Elements {
  readonly #claims = new Map<string, Map<string, Claim[]>>();
  /** What the kernel holds where it isn't what is wanted. */
  readonly #stale = new Map<string, Map<string, Held>>();

  claim(owner: string, { set, key, value }: SetElement): void {
    let keys = this.#claims.get(set);
    if (!keys) this.#claims.set(set, keys = new Map());
    const claims = keys.get(key);
    this.#touch(set, key, claims);
    if (claims) claims.push({ owner, value });
    else keys.set(key, [{ owner, value }]);
  }

  release(owner: string, { set, key }: SetElement): void {
    const keys = this.#claims.get(set);
    const claims = keys?.get(key);
    const index = claims?.findIndex((claim) => claim.owner === owner) ?? -1;
    if (!keys || !claims || index < 0) return;
    this.#touch(set, key, claims);
    claims.splice(index, 1);
    if (!claims.length) keys.delete(key);
    if (!keys.size) this.#claims.delete(set);
  }

  /** The changes the kernel lacks; those of sets that are new or gone are left out by `exists`. */
  addChanges(transaction: Transaction, exists: (set: string) => boolean): void {
    for (const [set, keys] of this.#stale) {
      if (!exists(set)) continue;
      const gone: { key: string }[] = [], come: { key: string; value?: string }[] = [];
      for (const [key, before] of keys) {
        const now = held(this.#claims.get(set)?.get(key));
        if (before && now && before.value === now.value) continue;
        if (before) gone.push({ key });
        if (now) come.push(element(key, now.value));
      }
      transaction.deleteElements(set, gone).addElements(set, come);
    }
  }

  /** All that is wanted in a set. */
  of(set: string): { key: string; value?: string }[] {
    return [...(this.#claims.get(set) ?? [])].map(([key, claims]) => element(key, claims.at(-1)!.value));
  }

  get changed(): boolean {
    return this.#stale.size > 0;
  }

  /** The kernel holds what is wanted. */
  applied(): void {
    this.#stale.clear();
  }

  #touch(set: string, key: string, claims: readonly Claim[] | undefined): void {
    let keys = this.#stale.get(set);
    if (!keys) this.#stale.set(set, keys = new Map());
    if (!keys.has(key)) keys.set(key, held(claims));
  }
}

const held = (claims: readonly Claim[] | undefined): Held => (claims?.length ? { value: claims.at(-1)!.value } : undefined);
const element = (key: string, value: string | undefined): { key: string; value?: string } => (value === undefined ? { key } : { key, value });
