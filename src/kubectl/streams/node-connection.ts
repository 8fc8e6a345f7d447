import type { Duplex } from "node:stream";
import type { RawConnection } from "../../base/http.ts";

/** A socket of node:net or node:tls as a `RawConnection`. */
export class NodeConnection implements RawConnection {
  onClose: () => void = () => {};
  #onData: ((bytes: Buffer) => void) | undefined;

  constructor(private readonly socket: Duplex) {
    socket.pause();
    // What is wrong with a socket ends it; that it ended is told by `onClose`.
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.onClose());
    socket.on("end", () => socket.end());
  }

  get onData(): (bytes: Buffer) => void {
    return this.#onData ?? (() => {});
  }

  set onData(handler: (bytes: Buffer) => void) {
    if (!this.#onData) this.socket.on("data", (bytes: Buffer) => this.#onData!(bytes));
    this.#onData = handler;
  }

  write(bytes: Uint8Array): boolean {
    return !this.socket.destroyed && this.socket.write(bytes);
  }

  get queuedBytes(): number {
    return this.socket.writableLength;
  }

  drained(): Promise<void> {
    return drained(this.socket);
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  end(): void {
    this.socket.end();
  }

  destroy(): void {
    this.socket.destroy();
  }
}

/** Resolves when a stream takes more again, or is closed. */
export async function drained(stream: Pick<Duplex, "writableNeedDrain" | "destroyed" | "once" | "off">): Promise<void> {
  if (!stream.writableNeedDrain || stream.destroyed) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  stream.once("drain", resolve);
  stream.once("close", resolve);
  await promise;
  stream.off("drain", resolve);
  stream.off("close", resolve);
}
