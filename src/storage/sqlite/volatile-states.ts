import type { Stored, StorageEvent } from "../storage.ts";
import type { WriteCommand } from "./protocol.ts";

interface State {
  revision: number;
  value: Uint8Array;
}

/** The newest states of keys whose last update was volatile: the file has older ones, or would have them at the next start after a crash. */
export class VolatileStates {
  readonly #states = new Map<string, State>();
  /** The newest volatile revision of each resource, by the prefix of its keys. */
  readonly #newest = new Map<string, number>();

  get(key: string): State | undefined {
    return this.#states.get(key);
  }

  set({ key, revision, value }: StorageEvent): void {
    this.#states.set(key, { revision, value });
    this.#newest.set(resourceOf(key), revision);
  }

  /** The file has a newer state, or knows that the key is gone. */
  forget(key: string): void {
    this.#states.delete(key);
  }

  /** What the file has, brought up to date. */
  over(items: Stored[]): Stored[] {
    return this.#states.size === 0 ? items : items.map((item) => ({ ...item, ...this.#states.get(item.key) }));
  }

  /** The newest revision of the prefix that history does not have; 0 when it has all. */
  newest(prefix: string): number {
    let newest = 0;
    for (const [resource, revision] of this.#newest) if (revision > newest && (resource.startsWith(prefix) || prefix.startsWith(resource))) newest = revision;
    return newest;
  }

  /** Makes all of them durable. */
  commands(): WriteCommand[] {
    return [...this.#states].map(([key, { revision, value }]) => ({ type: "update", key, revision, value: value.slice() }));
  }
}

/** `/registry/<group>/<resource>/` */
const resourceOf = (key: string): string => key.slice(0, key.indexOf("/", key.indexOf("/", "/registry/".length) + 1) + 1);
