import type { Stored, StorageEvent } from "../storage.ts";
import type { WriteCommand } from "./protocol.ts";

/** The newest state of a key, as the file has it not. */
export interface VolatileState {
  revision: number;
  /** Undefined when the key is gone. */
  value: Uint8Array | undefined;
  /** Whether the file has the key at all, in some older state. */
  filed: boolean;
}

/** Of keys that the file never had, so many survive a clean stop. */
const keptUnfiled = 1000;

/** The newest states of keys whose last write was volatile: the file has older ones, or none. */
export class VolatileStates {
  /** Those written last come last. */
  readonly #states = new Map<string, VolatileState>();

  get(key: string): VolatileState | undefined {
    return this.#states.get(key);
  }

  set({ type, key, revision, value, previous }: StorageEvent): void {
    const before = this.#states.get(key);
    const filed = before ? before.filed : previous !== undefined;
    this.#states.delete(key);
    if (type === "put" || filed) this.#states.set(key, { revision, value: type === "put" ? value : undefined, filed });
  }

  /** The file has a newer state, or knows that the key is gone. False when it always had. */
  forget(key: string): boolean {
    return this.#states.delete(key);
  }

  /** The keys of `prefix`, and what they were at `revision` as far as they haven't been written since. */
  *at(prefix: string, revision: number): Generator<[string, Stored | undefined]> {
    for (const [key, state] of this.#states) {
      if (state.revision <= revision && key.startsWith(prefix)) yield [key, state.value && { key, revision: state.revision, value: state.value }];
    }
  }

  /** Makes them durable, but for all too many that the file never had. */
  commands(): WriteCommand[] {
    const commands: WriteCommand[] = [];
    let unfiled = 0;
    for (const [key, { revision, value, filed }] of [...this.#states].reverse()) {
      if (!filed && ++unfiled > keptUnfiled) continue;
      commands.push(value ? { type: "put", key, revision, value: value.slice() } : { type: "delete", key, revision });
    }
    return commands.sort((a, b) => a.revision - b.revision);
  }
}
