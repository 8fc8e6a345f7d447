import { StorageError, type Storage, type StorageEvent, type StorageStatus, type Stored, type WriteOptions } from "../storage.ts";
import { sealedBy } from "./envelope.ts";
import type { Keyring } from "./keyring.ts";

/**
 * Encryption at rest: what the keyring concerns is sealed on its way into another Storage and opened on its way out. Promises what that
 * Storage promises. Reads throw "corrupt" for what can't be opened.
 *
 * Several servers may write to the Storage, and change the keyring. Each write tells the state of the keyring that it follows, and is made
 * anew by the newer one when the Storage knows of that; a read that meets a key which isn't here yet asks for it by `learn`.
 */
export class SealedStorage implements Storage {
  /** What local writers passed in, by what was stored for it: they are handed the very same back. */
  readonly #written = new WeakMap<Uint8Array, Uint8Array>();

  readonly latest?: () => Promise<number>;

  constructor(private readonly inner: Storage, readonly keyring: Keyring, private readonly learn?: () => Promise<void>) {
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

  get(key: string): Promise<Stored | undefined> {
    return this.#reading(async () => {
      const stored = await this.inner.get(key);
      return stored && this.#opened(stored);
    });
  }

  list(...of: Parameters<Storage["list"]>): ReturnType<Storage["list"]> {
    return this.#reading(async () => {
      const listed = await this.inner.list(...of);
      return { ...listed, items: listed.items.map((item) => this.#opened(item)) };
    });
  }

  create(key: string, value: Uint8Array, options?: WriteOptions): Promise<number> {
    return this.#writing(options, (fenced) => this.inner.create(key, this.#sealed(key, value), fenced));
  }

  update(key: string, expectedRevision: number, value: Uint8Array, options?: WriteOptions): Promise<number> {
    return this.#writing(options, (fenced) => this.inner.update(key, expectedRevision, this.#sealed(key, value), fenced));
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
      await this.update(key, revision, await this.#reading(async () => this.keyring.open(key, value)));
    } catch (error) {
      // Written or deleted meanwhile: whoever did that has brought it up to date.
      if (!(error instanceof StorageError && (error.code === "conflict" || error.code === "notFound"))) throw error;
    }
  }

  #reading<T>(read: () => Promise<T>): Promise<T> {
    const { learn } = this;
    if (!learn) return read();
    return read().catch(async (error: unknown) => {
      if (!(error instanceof StorageError && error.code === "corrupt")) throw error;
      await learn();
      return read();
    });
  }

  #writing(options: WriteOptions | undefined, write: (options: WriteOptions | undefined) => Promise<number>): Promise<number> {
    return this.keyring.state.fence === undefined ? write(options) : this.#fenced((fence) => write({ ...options, fence }));
  }

  async #fenced(write: (fence: number) => Promise<number>): Promise<number> {
    for (;;) {
      const fence = this.keyring.state.fence!;
      try {
        return await write(fence);
      } catch (error) {
        // Whoever refuses the write as outdated has told the keyring why.
        if (!(error instanceof StorageError && error.code === "outdated") || this.keyring.state.fence === fence) throw error;
      }
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
