import type { Duplex } from "node:stream";
import type { RawConnection } from "../../src/base/http.ts";

const ignore = (): void => {};

/** A node stream, such as a socket after its 'upgrade' event, as a `RawConnection`. */
export class NodeConnection implements RawConnection {
  onData: (bytes: Buffer) => void = ignore;
  onClose: () => void = ignore;
  private closed = false;

  /** `early`: bytes that were read off the stream before. */
  constructor(private readonly duplex: Duplex, early: Buffer = Buffer.alloc(0)) {
    if (early.length > 0) duplex.unshift(early);
    duplex.on("data", (bytes: Buffer) => this.onData(bytes));
    duplex.on("end", () => duplex.end());
    duplex.on("error", () => duplex.destroy());
    duplex.on("close", () => {
      this.closed = true;
      this.onClose();
    });
  }

  get queuedBytes(): number {
    return this.closed ? 0 : this.duplex.writableLength;
  }

  write(bytes: Uint8Array): boolean {
    if (this.closed || this.duplex.writableEnded || this.duplex.destroyed) return false;
    return this.duplex.write(bytes);
  }

  drained(): Promise<void> {
    if (this.queuedBytes === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        this.duplex.off("drain", check);
        this.duplex.off("close", done);
        resolve();
      };
      const check = (): void => {
        if (this.queuedBytes === 0) done();
      };
      this.duplex.on("drain", check);
      this.duplex.on("close", done);
      if (!this.duplex.writableNeedDrain) this.duplex.write("", check); // below the high-water mark no 'drain' will come
    });
  }

  pause(): void {
    this.duplex.pause();
  }

  resume(): void {
    this.duplex.resume();
  }

  end(): void {
    this.duplex.resume();
    this.duplex.end();
  }

  destroy(): void {
    this.duplex.destroy();
  }
}
