/** Without a sign of life. A part of an upload must get through in it, on a thin link too. */
export const defaultPatienceMs = 180_000;

/** Of a stream: Bun and Node have types for it that differ. */
interface Reader {
  read(): Promise<{ done: boolean; value?: Uint8Array | undefined }>;
  cancel(reason: unknown): Promise<void>;
}

/** Rejects `over` with itself after a time in which nothing has moved: some places say nothing, for ever. */
export class Patience {
  readonly #over = Promise.withResolvers<never>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #ended = false;

  constructor(private readonly ms: number) {
    this.#over.promise.catch(() => undefined);
    this.#renew();
  }

  get over(): Promise<never> {
    return this.#over.promise;
  }

  /** Hands on what is read: as long as more is asked for, what went before has got through. Breaks after the end, when what is read is not all of it. */
  renewedBy(reader: Reader): ReadableStream<Uint8Array<ArrayBuffer>> {
    return new ReadableStream({
      pull: async (controller) => {
        const { done, value } = await reader.read();
        if (this.#ended) throw new Error("given up");
        this.#renew();
        if (done) controller.close();
        else controller.enqueue(value as Uint8Array<ArrayBuffer>);
      },
      cancel: (reason) => reader.cancel(reason),
    });
  }

  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
  }

  #renew(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#over.reject(this), this.ms);
  }
}
