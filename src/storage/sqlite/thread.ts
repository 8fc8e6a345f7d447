import { StorageError, type StorageErrorCode } from "../storage.ts";

/** What a thread answers. `fatal` answers no request: the thread is of no more use. */
export type Reply<T> = ({ ok: true } & T) | { ok: false; code: StorageErrorCode; message: string; fatal?: true };

/**
 * A thread's file. In the compiled program everything is bundled at the root and the build lists these files as entry points
 * of their own, which are then found by their path below src/, the directory all entry points share.
 */
const fileOf = (name: string): string => new URL(Bun.isStandaloneExecutable ? `./storage/sqlite/${name}` : `./${name}`, import.meta.url).href;

interface Waiting<T> {
  resolve(reply: { ok: true } & T): void;
  reject(error: StorageError): void;
}

/** The main thread's end of a thread that works on the file. Requests are answered in order; when the thread dies, all of them fail and `onFatal` is told. */
export class Thread<Request, Told> {
  #worker: Worker;
  #waiting: Waiting<Told>[] = [];
  #failure: StorageError | undefined;
  #stopped = false;

  /** `file`: a file beside this one, or a URL. */
  constructor(file: string, private readonly onFatal: (error: StorageError) => void) {
    this.#worker = new Worker(URL.canParse(file) ? file : fileOf(file), { smol: true });
    this.#worker.onmessage = ({ data }: MessageEvent<Reply<Told>>) => {
      if (!data.ok && data.fatal) return this.#fail(new StorageError(data.code, data.message));
      const waiting = this.#waiting.shift()!;
      if (data.ok) waiting.resolve(data);
      else waiting.reject(new StorageError(data.code, data.message));
    };
    this.#worker.onerror = (event) => this.#fail(threadFailure(event.message.trim()));
    this.#worker.addEventListener("close", () => this.#fail(threadFailure("it ended unexpectedly")));
  }

  call(request: Request): Promise<{ ok: true } & Told> {
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#worker.postMessage(request);
    });
  }

  /** Ends the thread without a goodbye. */
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

const threadFailure = (detail: string): StorageError => new StorageError("io", `a thread of the storage failed: ${detail}; nothing can be written until the server is restarted`);
