import type { RawConnection } from "../http.ts";
import type { ByteSocket, Output } from "./output.ts";

const ignore = (): void => {};

/** A socket as a `RawConnection`. Whoever owns the socket calls `deliver` and `close`. */
export class SocketConnection implements RawConnection {
  onData: (bytes: Buffer) => void = ignore;
  onClose: () => void = ignore;
  private paused = false;
  private closed = false;
  /** Arrived before `onData` was set, or while paused. */
  private held: Buffer[] = [];

  constructor(private readonly socket: ByteSocket, private readonly output: Output, early: Buffer) {
    if (early.length === 0) return;
    this.held.push(early);
    queueMicrotask(() => this.release());
  }

  get queuedBytes(): number {
    return this.output.queuedBytes;
  }

  write(bytes: Uint8Array): boolean {
    return this.output.write(bytes);
  }

  drained(): Promise<void> {
    return this.output.drained();
  }

  pause(): void {
    if (this.paused || this.closed) return;
    this.paused = true;
    this.socket.pause();
  }

  resume(): void {
    if (!this.paused || this.closed) return;
    this.paused = false;
    this.socket.resume();
    if (this.held.length > 0) queueMicrotask(() => this.release());
  }

  end(): void {
    this.resume();
    this.output.whenEmpty(() => this.socket.end());
  }

  destroy(): void {
    this.socket.terminate();
  }

  /** The socket brought bytes; Bun never uses their memory again. */
  deliver(bytes: Buffer): void {
    if (this.paused || this.held.length > 0) this.held.push(bytes);
    else this.onData(bytes);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.paused = false;
    this.release();
    this.onClose();
    this.onData = ignore;
    this.onClose = ignore;
  }

  private release(): void {
    while (this.held.length > 0 && !this.paused) this.onData(this.held.shift()!);
  }
}
