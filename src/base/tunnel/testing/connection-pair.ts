import type { RawConnection } from "../../http.ts";

const ignore = (): void => {};

/** One end of a connection in memory, which carries bytes a turn later and as many as its peer lets it. */
export class PairedConnection implements RawConnection {
  onData: (bytes: Buffer) => void = ignore;
  onClose: () => void = ignore;
  queuedBytes = 0;
  /** All that was written here. */
  sentBytes = 0;
  /** While true nothing that was written here arrives. */
  stalled = false;
  peer!: PairedConnection;
  #queue: Buffer[] = [];
  #paused = false;
  #closed = false;
  #ending = false;
  #waiting: (() => void)[] = [];

  write(bytes: Uint8Array): boolean {
    if (this.#closed || this.#ending) return false;
    this.#queue.push(Buffer.from(bytes));
    this.queuedBytes += bytes.length;
    this.sentBytes += bytes.length;
    setImmediate(() => this.flush());
    return false;
  }

  /** Delivers what may be. */
  flush(): void {
    while (!this.stalled && !this.peer.#paused && !this.#closed && this.#queue.length > 0) {
      const next = this.#queue.shift()!;
      this.queuedBytes -= next.length;
      this.peer.onData(next);
    }
    if (this.queuedBytes > 0) return;
    for (const resolve of this.#waiting.splice(0)) resolve();
    if (this.#ending) this.destroy();
  }

  drained(): Promise<void> {
    return this.queuedBytes === 0 || this.#closed ? Promise.resolve() : new Promise((resolve) => this.#waiting.push(resolve));
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    setImmediate(() => this.peer.flush());
  }

  end(): void {
    this.#ending = true;
    setImmediate(() => this.flush());
  }

  destroy(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.queuedBytes = 0;
    for (const resolve of this.#waiting.splice(0)) resolve();
    setImmediate(() => {
      this.onClose();
      if (!this.stalled) this.peer.destroy();
    });
  }
}

export function connectionPair(): [PairedConnection, PairedConnection] {
  const one = new PairedConnection(), other = new PairedConnection();
  one.peer = other;
  other.peer = one;
  return [one, other];
}
