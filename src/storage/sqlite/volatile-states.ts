import type { Stored, StorageEvent } from "../storage.ts";
import type { WriteCommand } from "./protocol.ts";

/** The newest state of a key, as the file has it not. */
interface VolatileState {
  revision: number;
  /** Undefined when the key is gone. */
  value: Uint8Array | undefined;
  /** Whether the file has the key at all, in some older state. */
  filed: boolean;
  /** Of the value, or of the one that the file has for nothing since the key is gone. */
  bytes: number;
}

/** So many are made durable at once, when memory is too small for all. */
const surplusStates = 512;
/** Of keys that the file never had, so many survive a clean stop. */
const keptUnfiled = 1000;

/** The newest states of keys whose last write was volatile: the file has older ones, or none. */
export class VolatileStates {
  /** Those written last come last. */
  readonly #states = new Map<string, VolatileState>();
  #bytes = 0;

  get(key: string): VolatileState | undefined {
    return this.#states.get(key);
  }

  set({ type, key, revision, value, previous }: StorageEvent): void {
    const before = this.#states.get(key);
    const filed = before ? before.filed : previous !== undefined;
    this.forget(key);
    if (type === "delete" && !filed) return;
    this.#states.set(key, { revision, value: type === "put" ? value : undefined, filed, bytes: value.byteLength });
    this.#bytes += value.byteLength;
  }

  /** The file has a newer state, or knows that the key is gone. False when it always had. */
  forget(key: string): boolean {
    this.#bytes -= this.#states.get(key)?.bytes ?? 0;
    return this.#states.delete(key);
  }

  /** The keys of `prefix`, and what they were at `revision` as far as they haven't been written since. */
  *at(prefix: string, revision: number): Generator<[string, Stored | undefined]> {
    for (const [key, state] of this.#states) {
      if (state.revision <= revision && key.startsWith(prefix)) yield [key, state.value && { key, revision: state.revision, value: state.value }];
    }
  }

  /** Of all values, and of those that the file has for nothing. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Makes the oldest durable, some at a time; `filed` is to be told once they are. */
  surplus(): WriteCommand[] {
    return this.#states.entries().take(surplusStates).map(([key, state]) => {
      // From now on the file may have the key, whatever becomes of it meanwhile.
      state.filed = true;
      return commandOf(key, state);
    }).toArray();
  }

  /** The file has these now. */
  filed(commands: readonly WriteCommand[]): void {
    for (const command of commands) if (command.type !== "volatile" && this.#states.get(command.key)?.revision === command.revision) this.forget(command.key);
  }

  /** Makes them durable, but for all too many that the file never had. */
  commands(): WriteCommand[] {
    const commands: WriteCommand[] = [];
    let unfiled = 0;
    for (const [key, state] of [...this.#states].reverse()) {
      if (state.filed || ++unfiled <= keptUnfiled) commands.push(commandOf(key, state));
    }
    return commands.sort((a, b) => a.revision - b.revision);
  }
}

const commandOf = (key: string, { revision, value }: VolatileState): WriteCommand => (value ? { type: "put", key, revision, value: value.slice() } : { type: "delete", key, revision });
