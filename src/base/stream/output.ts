/** What is needed of a TCP or TLS socket; Bun's sockets are such. */
export interface ByteSocket {
  /** Takes as many bytes as fit and says how many; -1 when the socket is closed. */
  write(bytes: Uint8Array): number;
  /** Flushes, then closes both directions. */
  end(): void;
  /** Sends the end of our direction and goes on reading. */
  shutdown(): void;
  /** Closes at once. */
  terminate(): void;
  pause(): void;
  resume(): void;
  readonly remoteAddress: string;
}

/** The bytes that a socket has not taken yet, in order. */
export class Output {
  queuedBytes = 0;
  closed = false;
  /** When the socket last took bytes while some were queued, by performance.now(). */
  progressAt = 0;
  private queue: Uint8Array[] = [];
  private waiting: (() => void)[] | null = null;
  /** Runs once when the queue is empty. */
  private onEmpty: (() => void) | null = null;

  constructor(private readonly socket: ByteSocket) {}

  /** False when bytes are queued. */
  write(bytes: Uint8Array): boolean {
    if (this.closed) return false;
    let rest = bytes;
    if (this.queuedBytes === 0) {
      const taken = this.socket.write(bytes);
      if (taken >= bytes.length) return true;
      if (taken > 0) rest = bytes.subarray(taken);
      this.progressAt = performance.now();
    }
    this.queue.push(rest);
    this.queuedBytes += rest.length;
    return false;
  }

  /** The socket takes bytes again. */
  flush(): void {
    let sent = 0;
    while (sent < this.queue.length) {
      const next = this.queue[sent]!;
      const taken = this.socket.write(next);
      if (taken > 0) {
        this.queuedBytes -= taken;
        this.progressAt = performance.now();
      }
      if (taken < next.length) {
        if (taken > 0) this.queue[sent] = next.subarray(taken);
        break;
      }
      sent++;
    }
    if (sent > 0) this.queue = this.queue.slice(sent);
    if (this.queuedBytes === 0) this.release();
  }

  /** Runs `then` as soon as nothing is queued, at once if so now; not at all when the socket closes first. */
  whenEmpty(then: () => void): void {
    if (this.queuedBytes === 0) then();
    else this.onEmpty = then;
  }

  drained(): Promise<void> {
    if (this.queuedBytes === 0 || this.closed) return Promise.resolve();
    return new Promise((resolve) => (this.waiting ??= []).push(resolve));
  }

  close(): void {
    this.closed = true;
    this.queue = [];
    this.queuedBytes = 0;
    this.onEmpty = null;
    this.release();
  }

  private release(): void {
    const then = this.onEmpty;
    this.onEmpty = null;
    then?.();
    const waiting = this.waiting;
    this.waiting = null;
    if (waiting !== null) for (const resolve of waiting) resolve();
  }
}
