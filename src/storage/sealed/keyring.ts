import { StorageError } from "../storage.ts";
import { type SealingKey, seal, sealedBy, unseal } from "./envelope.ts";

/** Which keys there are, and what is sealed with which. Replaced as a whole when that changes. */
export interface KeyringState {
  /** New values of `prefixes` are sealed with the first of `keys`; else they are written in plain, and what is sealed is still read. */
  enabled: boolean;
  keys: readonly SealingKey[];
  /** Keys of storage that start so, such as `/registry/core/secrets/`. */
  prefixes: readonly string[];
  /** Keys that have been dropped: what is on its way here from before may be sealed with them. */
  dropped?: readonly SealingKey[];
  /** Where several servers write: what all writes tell (`WriteOptions.fence`), so that none is sealed by an older state. */
  fence?: number;
}

export class Keyring {
  constructor(public state: KeyringState) {}

  /** Whether values of this key are to be sealed at all, now or at another time. */
  concerns(key: string): boolean {
    return this.state.prefixes.some((prefix) => key.startsWith(prefix));
  }

  /** The name of the key that seals what is written now; undefined for plain. */
  sealingFor(key: string): SealingKey | undefined {
    return this.state.enabled && this.concerns(key) ? this.state.keys[0] : undefined;
  }

  seal(key: string, value: Uint8Array): Uint8Array {
    const sealing = this.sealingFor(key);
    return sealing ? seal(value, sealing, key) : value;
  }

  /** Throws "corrupt" when the key that is needed isn't there. */
  open(key: string, value: Uint8Array): Uint8Array {
    const name = sealedBy(value);
    if (name === undefined) return value;
    const opening = this.state.keys.find((each) => each.name === name) ?? this.state.dropped?.find((each) => each.name === name);
    if (!opening) throw new StorageError("corrupt", `${key} is encrypted with the key ${name}, which this server does not have: restore its key file from a backup; nothing has been changed`);
    return unseal(value, opening, key);
  }

  /** Whether a stored value is as it would be written now. */
  isCurrent(key: string, value: Uint8Array): boolean {
    return sealedBy(value) === this.sealingFor(key)?.name;
  }
}
