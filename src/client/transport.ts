import type { HeaderFields } from "../base/http.ts";

export interface TransportRequest {
  method: string;
  /** Path and query. */
  url: string;
  headers: Readonly<Record<string, string>>;
  body?: Uint8Array;
  signal?: AbortSignal;
}

export interface TransportAnswer {
  status: number;
  headers: HeaderFields;
  /** To be read once; leaving it early ends the answer. Throws where it breaks off. */
  body: AsyncIterable<Uint8Array>;
}

/** A way to the server that is open already, on which answers come in `leanMediaType`. Rejects when it is gone. */
export type Carrier = (request: TransportRequest) => Promise<TransportAnswer>;

/** What a client uses instead of connections of its own, while it is there. */
export interface Transport {
  /** The way now; waits a few seconds for one that is being made. Undefined when there is none: then plain HTTPS is left. Rejects when `signal` aborts. */
  carrier(signal?: AbortSignal): Promise<Carrier | undefined>;
  /** Aborts when there is a way again: what lasts, and went by plain HTTPS, begins anew there. */
  readonly restored: AbortSignal;
}
