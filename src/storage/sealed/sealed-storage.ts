import { StorageError, type Storage, type StorageEvent, type StorageStatus, type Stored, type WriteOptions } from "../storage.ts";
import { sealedBy } from "./envelope.ts";
import type { Keyring } from "./keyring.ts";

/**
 * Encryption at rest: what the keyring concerns is sealed on its way into another Storage and opened on its way out. Promises what that
 * Storage promises. Reads throw "corrupt" for what can't be opened.
 */
export class SealedStorage implements Storage {
  /** What local writers passed in, by what was stored for it: they are handed the very same back. */
  readonly #written = new WeakMap<Uint8Array, Uint8Array>();

  readonly latest?: () => Promise<number>;

  constructor(private readonly inner: Storage, readonly keyring: Keyring) {
    if (inner.latest) this.latest = () => inner.latest!();
  }

  get revision(): number {
    return this.inner.revision;
  }

  get compactedRevision(): number {
    return this.inner.compactedRevision;
  }

  get replaced(): number {
    return this.inner.replaced;
  }

  async get(key: string): Promise<Stored | undefined> {
    const stored = await this.inner.get(key);
    return stored && this.#opened(stored);
  }

  async list(...of: Parameters<Storage["list"]>): ReturnType<Storage["list"]> {
    const listed = await this.inner.list(...of);
    return { ...listed, items: listed.items.map((item) => this.#opened(item)) };
  }

  create(key: string, value: Uint8Array, options?: WriteOptions): Promise<number> {
    return this.inner.create(key, this.#sealed(key, value), options);
  }

  update(key: string, expectedRevision: number, value: Uint8Array, options?: WriteOptions): Promise<number> {
    return this.inner.update(key, expectedRevision, this.#sealed(key, value), options);
  }

  delete(key: string, expectedRevision: number, options?: WriteOptions): Promise<number> {
    return this.inner.delete(key, expectedRevision, options);
  }

  watch(prefix: string, fromRevision: number, onEvents: Parameters<Storage["watch"]>[2], signal: AbortSignal): Promise<void> {
    return this.inner.watch(prefix, fromRevision, (events, revision) => onEvents(events.map((event) => this.#openedEvent(event)), revision), signal);
  }

  compact(revision: number): Promise<void> {
    return this.inner.compact(revision);
  }

  purge(): Promise<void> {
    return this.inner.purge();
  }

  status(): Promise<StorageStatus> {
    return this.inner.status();
  }

  close(): Promise<void> {
    return this.inner.close();
  }

  /**
   * Writes again what lies otherwise than it would be written now, wherever it is, until nothing does or `signal` aborts. Each is a write
   * with a revision, of the same object. Returns how many there were. What is interrupted is gone on with by the next call.
   */
  async rewrite(signal: AbortSignal): Promise<number> {
    let rewritten = 0;
    for (let after = "", more = true; more && !signal.aborted;) {
      const page = await this.inner.list(root, { limit: rewritePage, after });
      ({ more } = page);
      after = page.items.at(-1)?.key ?? after;
      const stale = page.items.filter(({ key, value }) => !this.keyring.isCurrent(key, value));
      rewritten += stale.length;
      await Promise.all(stale.map((item) => this.#rewriteOne(item)));
      // Reading may take no turn of the event loop, and other work is waiting.
      await new Promise((resolve) => setImmediate(resolve));
    }
    return rewritten;
  }

  async #rewriteOne({ key, value, revision }: Stored): Promise<void> {
    try {
      await this.update(key, revision, this.keyring.open(key, value));
    } catch (error) {
      // Written or deleted meanwhile: whoever did that has brought it up to date.
      if (!(error instanceof StorageError && (error.code === "conflict" || error.code === "notFound"))) throw error;
    }
  }

  #sealed(key: string, value: Uint8Array): Uint8Array {
    const sealed = this.keyring.seal(key, value);
    if (sealed !== value) this.#written.set(sealed, value);
    return sealed;
  }

  #opened(stored: Stored): Stored {
    return sealedBy(stored.value) === undefined ? stored : { ...stored, value: this.#open(stored.key, stored.value) };
  }

  #openedEvent(event: StorageEvent): StorageEvent {
    const { key, value, previous } = event;
    if (sealedBy(value) === undefined && (!previous || sealedBy(previous) === undefined)) return event;
    return { ...event, value: this.#open(key, value), ...(previous ? { previous: this.#open(key, previous) } : {}) };
  }

  #open(key: string, value: Uint8Array): Uint8Array {
    return this.#written.get(value) ?? this.keyring.open(key, value);
  }
}

const root = "/registry/", rewritePage = 64;
