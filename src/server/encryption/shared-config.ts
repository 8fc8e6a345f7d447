import { join } from "node:path";
import { ensureFile, readIfExists } from "../../base/files.ts";
import { logger } from "../../base/log.ts";
import type { Fence, OnFence } from "../../storage/etcd/fence.ts";
import type { SealingKey } from "../../storage/sealed/envelope.ts";
import { Keyring } from "../../storage/sealed/keyring.ts";
import { StorageError } from "../../storage/storage.ts";
import { openForServers, sealForServers } from "../cluster/sealed-files.ts";
import type { Layout } from "../layout.ts";
import { type ConfigStore, type EncryptionConfig, type EncryptionOptions, formatConfig, keyringOf, noEncryption, parseConfig, planStart } from "./config.ts";
import { readKeyFile } from "./key-file.ts";

const log = logger("encryption");

export interface SharedConfigOptions {
  /** This server's copy: for backups, and for the day when the state moves back into a file. */
  file: string;
  /** PEM of the server CA's key, which every server of the cluster has. */
  clusterKey: string;
}

/**
 * The config of servers that write to one etcd: the content of its fence, encrypted for them. So a change is made once, by who is first, and
 * needs no consent: from its revision on etcd refuses what others send without knowing it, were they cut off for a year; and each server
 * hears of it before it is shown anything that was written by it. A server that starts takes it before it reads or writes.
 */
export class SharedConfig implements ConfigStore {
  readonly keyring = new Keyring(keyringOf(noEncryption));
  #current = noEncryption;
  #fence: Fence | undefined;
  readonly #known = new Map<string, SealingKey>();
  readonly #listeners: (() => void)[] = [];

  constructor(private readonly options: SharedConfigOptions) {}

  get current(): EncryptionConfig {
    return this.#current;
  }

  get revision(): number {
    return this.keyring.state.fence ?? 0;
  }

  /** For who opens etcd. Throws a `StorageError` when another cluster's servers have written it. */
  readonly onFence: OnFence = (value, revision) => {
    if (value) this.#take(this.#opened(value), revision);
    else this.#lost();
  };

  /** Once etcd is open: brings along what this server had before there were others, and adds what its options do. */
  async begin(fence: Fence, options: EncryptionOptions, now: number): Promise<void> {
    this.#fence = fence;
    for (;;) {
      const found = this.#current, known = this.revision > 0 ? found : readKeyFile(this.options.file);
      const wanted = planStart(known, together(known, options), now);
      if (wanted === found || await this.replace(found, wanted)) return;
    }
  }

  async replace(before: EncryptionConfig, config: EncryptionConfig): Promise<boolean> {
    return before === this.#current && await this.#fence!.move(sealConfig(formatConfig(config), this.options.clusterKey), this.revision);
  }

  /** Takes what others have changed, now. */
  async learn(): Promise<void> {
    await this.#fence?.load();
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  #take(config: EncryptionConfig, fence: number): void {
    this.#current = config;
    for (const key of config.keys) this.#known.set(key.name, key);
    const dropped = [...this.#known.values()].filter(({ name }) => config.keys.every((key) => key.name !== name));
    this.keyring.state = { ...keyringOf(config), dropped, fence };
    try {
      ensureFile(this.options.file, formatConfig(config));
    } catch (error) {
      log.error("This server's copy of the keys that encrypt could not be written: backups made here lack them until it can", { file: this.options.file, error });
    }
    for (const listener of this.#listeners) listener();
  }

  /** There is none: not yet, or because somebody has deleted it. */
  #lost(): void {
    this.keyring.state = { ...this.keyring.state, fence: 0 };
    if (!this.#fence) return;
    log.error("What servers share of encryption was deleted from etcd: this one goes on as it was, and shares it with the next change or start");
  }

  #opened(value: Uint8Array): EncryptionConfig {
    const text = openForServers(value, this.options.clusterKey);
    if (!text) throw new StorageError("io", "the keys that encrypt what is in etcd are of servers with another CA: start this one as it was started first, or with their --token");
    try {
      return parseConfig(Buffer.from(text).toString());
    } catch (error) {
      throw new StorageError("newer", `what servers share of encryption is not understood (${(error as Error).message}): update this server`, { cause: error });
    }
  }
}

/**
 * For who reads what is in etcd while no server runs here: this machine's copy of the keys is the newest then. Throws, in the storage that hears
 * it, for those of servers with another CA than this machine's.
 */
export const keysInto = ({ encryptionFile, tlsDir }: Layout): OnFence => new SharedConfig({ file: encryptionFile, clusterKey: readIfExists(join(tlsDir, "server-ca.key")) ?? "" }).onFence;

/** What the fence holds. */
export const sealConfig = (text: string, clusterKey: string): Uint8Array => sealForServers(Buffer.from(text), clusterKey);

/** Servers may be told different things: what one of them is to encrypt is encrypted, until all are told to disable it. */
const together = (config: EncryptionConfig, { enable, resources }: EncryptionOptions): EncryptionOptions =>
  ({ enable, resources: config.enabled ? [...new Set([...config.resources, ...(enable ? resources : [])])] : resources });
