import { randomUUID } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import type { Cacher } from "../../storage/cacher/cacher.ts";
import { StorageError } from "../../storage/storage.ts";
import { prefixOf, translate } from "../store.ts";

const claims = { group: "skiff.io", resource: "claims" };
const prefix = prefixOf(claims);
/** A claim that has stood this long was left by a server that died. */
const staleMs = 60_000;

/**
 * What several servers on one store hand out of one range: who is about to store an object that takes something claims it first, by a key that
 * only one can create, and lets go when the object is stored. Once a claim is had, this server's cache shows all that others stored before,
 * so that what is free in it then is free.
 */
export class Claims {
  /** Claims of others that stood in our way, and when first. */
  readonly #met = new Map<string, { revision: number; at: number }>();
  constructor(private readonly cacher: Cacher, private readonly clock: Clock) {}

  /** Undefined when another server is taking `name` just now; else what lets go of it. Throws a `StatusError` when the storage fails. */
  async take(name: string): Promise<(() => void) | undefined> {
    const key = prefix + name;
    for (;;) {
      try {
        const { revision } = await this.cacher.create(key, { apiVersion: "skiff.io/v1", kind: "Claim", metadata: { name, uid: randomUUID() } });
        this.#met.delete(name);
        return () => this.#drop(key, revision);
      } catch (error) {
        if (!(error instanceof StorageError) || error.code !== "exists") throw translate(error, claims, name);
        if (!this.#wasLeft(key, name)) return undefined;
      }
    }
  }

  /** Whether the claim in the way is one that nobody will let go of; it is dropped then. */
  #wasLeft(key: string, name: string): boolean {
    const entry = this.cacher.get(key);
    if (!entry) return true;
    const met = this.#met.get(name), now = this.clock.monotonic();
    if (met?.revision !== entry.revision) this.#met.set(name, { revision: entry.revision, at: now });
    else if (now - met.at > staleMs) this.#drop(key, entry.revision);
    return false;
  }

  /** What fails here stays, until it is stale. */
  #drop(key: string, revision: number): void {
    this.cacher.delete(key, revision).catch(() => {});
  }
}
