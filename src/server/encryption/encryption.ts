import { badRequest } from "../../apimachinery/status.ts";
import type { Clock } from "../../base/clock.ts";
import { logger } from "../../base/log.ts";
import type { SealedStorage } from "../../storage/sealed/sealed-storage.ts";
import { type EncryptionConfig, keyringOf, newEncryptionKey, readEncryptionConfig, writeEncryptionConfig } from "./key-file.ts";

const log = logger("encryption");

export const encryptionActions = ["enable", "disable", "rotate-keys"] as const;
export type EncryptionAction = (typeof encryptionActions)[number];

export interface EncryptionStatus {
  enabled: boolean;
  resources: readonly string[];
  keys: readonly { name: string; created: string; active: boolean }[];
  /** `rewriting`: something on disk may still lie as it was before the last change. */
  stage: "finished" | "rewriting";
}

export interface EncryptionDependencies {
  file: string;
  config: EncryptionConfig;
  storage: SealedStorage;
  /** Takes what was overwritten out of all files of the database's: before it, old values can be read there, and old keys are needed. */
  purge(): Promise<void>;
  clock: Clock;
}

/**
 * Encryption at rest, changed while serving. Each change is first made durable in the key file, then holds for all new writes; what lies on
 * disk is brought up to date by `run`, which goes on after a restart with what was interrupted. Keys that nothing needs any more are dropped then.
 */
export class Encryption {
  #config: EncryptionConfig;
  #wake = (): void => undefined;

  constructor(private readonly dependencies: EncryptionDependencies) {
    this.#config = dependencies.config;
  }

  get status(): EncryptionStatus {
    const { enabled, resources, keys, pending } = this.#config;
    return { enabled, resources, keys: keys.map(({ name, created }, index) => ({ name, created, active: enabled && index === 0 })), stage: pending ? "rewriting" : "finished" };
  }

  /** Returns when new writes are as wanted. Throws a BadRequest for what makes no sense now. */
  change(action: EncryptionAction): EncryptionStatus {
    const { enabled, keys } = this.#config, now = this.dependencies.clock.now();
    if (action === "rotate-keys" && !enabled) throw badRequest("there is no key to rotate while encryption is disabled: run \"skiff secrets-encrypt enable\" first");
    if (action === "enable" && !enabled) this.#set({ enabled: true, pending: true, keys: keys.length > 0 ? keys : [newEncryptionKey(now)] });
    if (action === "disable" && enabled) this.#set({ enabled: false, pending: true });
    if (action === "rotate-keys") this.#set({ pending: true, keys: [newEncryptionKey(now), ...keys] });
    return this.status;
  }

  /** Takes what another server has changed in the key file. */
  reload(): void {
    this.#config = readEncryptionConfig(this.dependencies.file);
    this.dependencies.storage.keyring.state = keyringOf(this.#config);
    this.#wake();
  }

  /** Brings what lies on disk up to date, now and after each change, until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    const stopped = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    while (!signal.aborted) {
      const changed = new Promise<void>((resolve) => (this.#wake = resolve));
      if (!this.#config.pending) {
        await Promise.race([changed, stopped]);
        continue;
      }
      try {
        await this.#bringUpToDate(signal);
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        log.warn("What is encrypted on disk could not be brought up to date; it is tried again", { error });
        await this.dependencies.clock.sleep(Math.min(retryMs * 2 ** failures++, longestRetryMs), signal).catch(() => undefined);
      }
    }
  }

  async #bringUpToDate(signal: AbortSignal): Promise<void> {
    const { storage, purge } = this.dependencies, { keys, enabled } = this.#config;
    let rewritten = 0;
    // Writes that were on their way when the keys changed may land behind a look; none is left once a look after a purge finds nothing.
    for (let found = 1, first = true; found > 0 || first; first = false) {
      rewritten += found = await storage.rewrite(signal);
      if (signal.aborted) return;
      if (found > 0 || first) await purge();
      // Changed again: begin anew with that.
      if (this.#config.keys !== keys || this.#config.enabled !== enabled) return;
    }
    this.#set({ pending: false, keys: keys.slice(0, 1) });
    log.info("What lies on disk is as it should be", { enabled, key: keys[0]?.name, rewritten });
  }

  #set(change: Partial<EncryptionConfig>): void {
    const config = { ...this.#config, ...change };
    writeEncryptionConfig(this.dependencies.file, config);
    this.#config = config;
    this.dependencies.storage.keyring.state = keyringOf(config);
    this.#wake();
  }
}

const retryMs = 1000, longestRetryMs = 60_000;
