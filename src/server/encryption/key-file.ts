import { readIfExists, writeFileAtomic } from "../../base/files.ts";
import { Keyring } from "../../storage/sealed/keyring.ts";
import { UsageError } from "../settings.ts";
import { type ConfigStore, type EncryptionConfig, type EncryptionOptions, formatConfig, keyringOf, noEncryption, parseConfig, planStart } from "./config.ts";

/** `noEncryption` when there is no file. Throws a `UsageError` for one that can't be understood: it may be the only copy of its keys. */
export function readKeyFile(file: string): EncryptionConfig {
  const text = readIfExists(file);
  if (text === undefined) return noEncryption;
  try {
    return parseConfig(text);
  } catch (error) {
    throw new UsageError(`the keys that encrypt the database can't be read from ${file} (${(error as Error).message}): restore that file from a backup; without it what is encrypted can't be read`, { cause: error });
  }
}

/** The config of a server that has its database for itself: `<data-dir>/server/cred/encryption-config.json`, for root alone. */
export class KeyFile implements ConfigStore {
  readonly keyring: Keyring;
  #current: EncryptionConfig;
  #changed = (): void => undefined;

  /** Reads it, and adds what the options do. Throws a `UsageError`. */
  constructor(private readonly file: string, options: EncryptionOptions, now: number) {
    const found = readKeyFile(file);
    this.#current = planStart(found, options, now);
    if (this.#current !== found) writeFileAtomic(file, formatConfig(this.#current));
    this.keyring = new Keyring(keyringOf(this.#current));
  }

  get current(): EncryptionConfig {
    return this.#current;
  }

  async replace(before: EncryptionConfig, config: EncryptionConfig): Promise<boolean> {
    if (before !== this.#current) return false;
    writeFileAtomic(this.file, formatConfig(config));
    this.#current = config;
    this.keyring.state = keyringOf(config);
    this.#changed();
    return true;
  }

  onChange(listener: () => void): void {
    this.#changed = listener;
  }
}
