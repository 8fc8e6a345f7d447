import type { RawConnection } from "../http.ts";

/** Bytes that may be on their way in one direction of a stream before its receiver has used any. */
export const streamWindow = 256 << 10;
/** A writer is told to wait once so much is queued, in bytes. */
const highWater = 64 << 10;

const ignore = (): void => {};

/** What a stream needs of its session. */
export interface StreamCarrier {
  /** Something may be sent: data for which there is credit, or the end. */
  ready(stream: TunnelStream): void;
  credit(stream: TunnelStream, bytes: number): void;
  reset(stream: TunnelStream, reason: string): void;
  /** So many bytes that were held are so no more. */
  used(bytes: number): void;
  /** So many bytes more wait to be sent; fewer, where negative. False when that is too much. */
  queued(bytes: number): boolean;
  /** The stream is over. */
  forget(stream: TunnelStream): void;
}

/**
 * One of many byte streams that share a tunnel, each with a window of its own, so that one that isn't read holds up no other. Begins
 * paused: set the callbacks, then `resume`. After an upgrade it is a `RawConnection`, whose two directions end together.
 */
export class TunnelStream implements RawConnection {
  /** The head of the response, where the peer serves the stream; never paused. */
  onHead: (payload: Buffer) => void = ignore;
  onData: (bytes: Buffer) => void = ignore;
  /** The peer has sent all it wanted to, and it was delivered. */
  onEnd: () => void = ignore;
  /** Once, when the stream is over; `broken` says whether before its proper end. */
  onClose: () => void = ignore;
  queuedBytes = 0;
  /** Why the stream ended before its time. */
  broken: string | undefined;
  /** Bytes received and not used yet. */
  heldBytes = 0;
  /** Both directions end with the first. */
  raw = false;
  #queue: Uint8Array[] = [];
  #credit = streamWindow;
  #held: Buffer[] = [];
  /** What the peer may still send. */
  #granted = streamWindow;
  /** Used by the receiver, and not granted anew. */
  #used = 0;
  #paused = true;
  #delivering = false;
  #ending = false;
  #endSent = false;
  #endReceived = false;
  #endDelivered = false;
  #closed = false;
  #waiting: (() => void)[] = [];

  constructor(private readonly carrier: StreamCarrier, readonly id: number) {}

  get closed(): boolean {
    return this.#closed;
  }

  // --- Sending.

  write(bytes: Uint8Array): boolean {
    if (this.#closed || this.#ending) return false;
    if (bytes.length > 0) {
      this.#queue.push(bytes);
      this.queuedBytes += bytes.length;
      if (!this.carrier.queued(bytes.length)) {
        this.destroy("too much unsent data in this tunnel");
        return false;
      }
      this.carrier.ready(this);
    }
    return this.queuedBytes <= highWater;
  }

  drained(): Promise<void> {
    if (this.queuedBytes === 0 || this.#closed) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  end(): void {
    if (this.#closed || this.#ending) return;
    this.#ending = true;
    this.carrier.ready(this);
  }

  destroy(reason = "canceled"): void {
    if (this.#closed) return;
    this.carrier.reset(this, reason);
    this.close(reason);
  }

  /** At most `most` bytes that may be sent now; null when there are none. */
  take(most: number): Uint8Array | null {
    const first = this.#queue[0];
    const length = Math.min(first?.length ?? 0, this.#credit, most);
    if (first === undefined || length === 0) return null;
    if (length === first.length) this.#queue.shift();
    else this.#queue[0] = first.subarray(length);
    this.#credit -= length;
    this.queuedBytes -= length;
    this.carrier.queued(-length);
    if (this.queuedBytes === 0) for (const resolve of this.#waiting.splice(0)) resolve();
    return first.subarray(0, length);
  }

  get sendable(): boolean {
    return !this.#closed && this.queuedBytes > 0 && this.#credit > 0;
  }

  /** True once, when all is sent and the end is to be told. */
  takeEnd(): boolean {
    if (this.#closed || !this.#ending || this.#endSent || this.queuedBytes > 0) return false;
    this.#endSent = true;
    queueMicrotask(() => this.#settle());
    return true;
  }

  /** The peer grants more. */
  grant(bytes: number): void {
    this.#credit = Math.min(this.#credit + bytes, streamWindow);
    if (this.queuedBytes > 0) this.carrier.ready(this);
  }

  // --- Receiving.

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused || this.#closed) return;
    this.#paused = false;
    queueMicrotask(() => this.#deliver());
  }

  /** False when the peer sends more than it was granted, or after its end. */
  receive(bytes: Buffer): boolean {
    if (this.#endReceived || bytes.length > this.#granted) return false;
    this.#granted -= bytes.length;
    this.#held.push(bytes);
    this.heldBytes += bytes.length;
    this.#deliver();
    return true;
  }

  receiveHead(payload: Buffer): void {
    const onHead = this.onHead;
    this.onHead = ignore;
    onHead(payload);
  }

  receiveEnd(): void {
    this.#endReceived = true;
    this.#deliver();
  }

  /** The stream is over, by a reset or with its tunnel. */
  close(broken?: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.broken = broken;
    this.carrier.used(this.heldBytes);
    this.carrier.queued(-this.queuedBytes);
    this.#held = [];
    this.#queue = [];
    this.queuedBytes = this.heldBytes = 0;
    this.carrier.forget(this);
    for (const resolve of this.#waiting.splice(0)) resolve();
    this.onClose();
    this.onHead = this.onData = this.onEnd = this.onClose = ignore;
  }

  #deliver(): void {
    if (this.#delivering) return;
    this.#delivering = true;
    try {
      while (!this.#paused && this.#held.length > 0) {
        const bytes = this.#held.shift()!;
        this.heldBytes -= bytes.length;
        this.carrier.used(bytes.length);
        this.#use(bytes.length);
        this.onData(bytes);
      }
    } finally {
      this.#delivering = false;
    }
    if (this.#paused || !this.#endReceived || this.#endDelivered || this.#closed) return;
    this.#endDelivered = true;
    this.onEnd();
    this.#settle();
  }

  /** Half of the window is granted at once: an acknowledgement of each piece would cost as much as the piece. */
  #use(bytes: number): void {
    this.#used += bytes;
    if (this.#used < streamWindow / 2 || this.#endReceived) return;
    this.#granted += this.#used;
    this.carrier.credit(this, this.#used);
    this.#used = 0;
  }

  /** Of a raw stream each end is the end: whoever sent it has gone, whoever got it goes. */
  #settle(): void {
    if (this.raw ? this.#endDelivered || this.#endSent : this.#endDelivered && this.#endSent) this.close();
  }
}
