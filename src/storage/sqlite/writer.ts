import { StorageError } from "../storage.ts";
import type { WriterReply, WriterRequest } from "./protocol.ts";

/**
 * The thread's file. In the compiled program everything is bundled at the root and the build lists this file as an entry point
 * of its own, which is then found by its path below src/, the directory all entry points share.
 */
const workerUrl = new URL(Bun.isStandaloneExecutable ? "./storage/sqlite/writer-worker.ts" : "./writer-worker.ts", import.meta.url).href;

interface Waiting {
  resolve(reply: WriterReply & { ok: true }): void;
  reject(error: StorageError): void;
}

/** The main thread's end of the writer thread. Requests are answered in order; when the thread dies, all of them fail and `onFatal` is told. */
export class Writer {
  #worker: Worker;
  #waiting: Waiting[] = [];
  #failure: StorageError | undefined;
  #stopped = false;

  constructor(private readonly onFatal: (error: StorageError) => void, url = workerUrl) {
    this.#worker = new Worker(url, { smol: true });
    this.#worker.onmessage = ({ data }: MessageEvent<WriterReply>) => {
      if (!data.ok && data.fatal) return this.#fail(new StorageError(data.code, data.message));
      const waiting = this.#waiting.shift()!;
      if (data.ok) waiting.resolve(data);
      else waiting.reject(new StorageError(data.code, data.message));
    };
    this.#worker.onerror = (event) => this.#fail(threadFailure(event.message.trim()));
    this.#worker.addEventListener("close", () => this.#fail(threadFailure("it ended unexpectedly")));
  }

  call(request: WriterRequest): Promise<WriterReply & { ok: true }> {
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#worker.postMessage(request);
    });
  }

  /** Ends the thread without a goodbye; `call({ type: "close" })` first. */
  stop(): void {
    this.#stopped = true;
    this.#worker.terminate();
  }

  #fail(failure: StorageError): void {
    if (this.#stopped || this.#failure) return;
    this.#failure = failure;
    for (const waiting of this.#waiting.splice(0)) waiting.reject(failure);
    this.onFatal(failure);
  }
}

const threadFailure = (detail: string): StorageError => new StorageError("io", `the storage writer thread failed: ${detail}; nothing can be written until the server is restarted`);
