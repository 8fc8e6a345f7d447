import type { Clock } from "../../base/clock.ts";
import { logger } from "../../base/log.ts";
import type { SealedStorage } from "../../storage/sealed/sealed-storage.ts";
import { type ConfigStore, type EncryptionAction, type EncryptionConfig, planAction } from "./config.ts";

const log = logger("encryption");

export interface EncryptionStatus {
  enabled: boolean;
  resources: readonly string[];
  keys: readonly { name: string; created: string; active: boolean }[];
  /** `rewriting`: something on disk may still lie as it was before the last change. */
  stage: "finished" | "rewriting";
  /** What this server's settings ask for: then it is enabled by its next start, whatever has been said since. */
  enabledAtStart: boolean;
}

export interface EncryptionDependencies {
  configs: ConfigStore;
  storage: Pick<SealedStorage, "rewrite">;
  /** Takes what was overwritten out of all files of the database's: before it, old values can be read there, and old keys are needed. */
  purge(): Promise<void>;
  enabledAtStart: boolean;
  clock: Clock;
}

/**
 * Encryption at rest, changed while serving. Each change is first made durable, then holds for all new writes; what lies on disk is brought
 * up to date by `run`, which goes on with what was interrupted, here after a restart or on another server. Keys that nothing needs any more
 * are dropped then.
 */
export class Encryption {
  #wake = (): void => undefined;
  #problem: string | undefined;

  constructor(private readonly dependencies: EncryptionDependencies) {
    dependencies.configs.onChange(() => this.#wake());
  }

  get status(): EncryptionStatus {
    const { enabled, resources, keys, pending } = this.#config, { enabledAtStart } = this.dependencies;
    return { enabledAtStart, enabled, resources, keys: keys.map(({ name, created }, index) => ({ name, created, active: enabled && index === 0 })), stage: pending ? "rewriting" : "finished" };
  }

  /** Where it is kept. */
  get configs(): ConfigStore {
    return this.dependencies.configs;
  }

  /** Why this server can't bring up to date what lies on disk, as long as it can't. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Resolves when new writes are as wanted. Throws a BadRequest for what makes no sense now. */
  async change(action: EncryptionAction): Promise<EncryptionStatus> {
    for (;;) {
      const before = this.#config, config = planAction(before, action, this.dependencies.clock.now());
      if (config === before || await this.dependencies.configs.replace(before, config)) return this.status;
    }
  }

  /** Brings what lies on disk up to date, now and after each change, until `signal` aborts. Of several servers one does. */
  async run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    const stopped = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    while (!signal.aborted) {
      const changed = new Promise<void>((resolve) => (this.#wake = resolve));
      if (!this.#config.pending) {
        this.#problem = undefined;
        await Promise.race([changed, stopped]);
        continue;
      }
      try {
        await this.#bringUpToDate(signal);
        failures = 0;
      } catch (error) {
        if (signal.aborted) break;
        this.#problem = (error as Error).message;
        log.warn("What is encrypted on disk could not be brought up to date; it is tried again", { error });
        await this.dependencies.clock.sleep(Math.min(retryMs * 2 ** failures++, longestRetryMs), signal).catch(() => undefined);
      }
    }
    this.#problem = undefined;
  }

  async #bringUpToDate(signal: AbortSignal): Promise<void> {
    const { configs, storage, purge } = this.dependencies, before = this.#config, { keys, enabled } = before;
    let rewritten = 0;
    // Writes that were on their way when the keys changed may land behind a look; none is left once a look after a purge finds nothing.
    for (let found = 1, first = true; found > 0 || first; first = false) {
      rewritten += found = await storage.rewrite(signal);
      if (signal.aborted) return;
      if (found > 0 || first) await purge();
      // Changed again: begin anew with that.
      if (this.#config !== before) return;
    }
    if (await configs.replace(before, { ...before, pending: false, keys: keys.slice(0, 1) })) log.info("What lies on disk is as it should be", { enabled, key: keys[0]?.name, rewritten });
  }

  get #config(): EncryptionConfig {
    return this.dependencies.configs.current;
  }
}

const retryMs = 1000, longestRetryMs = 60_000;
