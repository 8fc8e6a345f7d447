import type { StatusError } from "../../apimachinery/status.ts";
import { GrowingBuffer } from "../../base/stream/growing-buffer.ts";
import { bodyTooLarge, refusal } from "./refusal.ts";
import { chunked } from "./request-head.ts";

const enum Expecting { Data, Size, DataEnd, Trailer, Nothing }

const chunkSize = /^[0-9A-Fa-f]{1,8}$/;
const notInLine = /[^\t\x20-\x7e\x80-\xff]/;
/** A chunk-size line with its extensions, or one trailer field. */
const mostLineBytes = 1024;
const mostTrailers = 32;

/** Takes a request's body out of the byte stream as it arrives, by length or chunked, into one bounded buffer. */
export class RequestBody {
  failure: StatusError | null = null;
  private readonly content = new GrowingBuffer();
  private line = "";
  private trailers = 0;
  private expecting: Expecting;
  /** Bytes left of the body, or of the current chunk. */
  private left: number;

  constructor(private readonly length: number, private readonly limit: number) {
    this.left = length === chunked ? 0 : length;
    this.expecting = length === chunked ? Expecting.Size : length === 0 ? Expecting.Nothing : Expecting.Data;
  }

  get complete(): boolean {
    return this.expecting === Expecting.Nothing && this.failure === null;
  }

  get received(): number {
    return this.content.length;
  }

  /** The bytes of a complete body; once only. */
  take(): Buffer {
    return this.content.take();
  }

  /** Consumes from `offset` on; returns the offset behind the body, or `bytes.length`. Stops at the first error, see `failure`. */
  feed(bytes: Buffer, offset: number): number {
    let at = offset;
    while (at < bytes.length && this.expecting !== Expecting.Nothing && this.failure === null) {
      at = this.expecting === Expecting.Data ? this.feedData(bytes, at) : this.feedLine(bytes, at);
    }
    return at;
  }

  private feedData(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.left);
    this.content.append(bytes.subarray(at, end), this.length);
    this.left -= end - at;
    if (this.left === 0) this.expecting = this.length === chunked ? Expecting.DataEnd : Expecting.Nothing;
    return end;
  }

  /** Collects one CRLF-terminated line, then acts on it. */
  private feedLine(bytes: Buffer, at: number): number {
    const lineFeed = bytes.indexOf(10, at);
    const end = lineFeed < 0 ? bytes.length : lineFeed;
    if (this.line.length + end - at > mostLineBytes) {
      this.failure = refusal(400, "a line of the chunked body is too long");
      return at;
    }
    this.line += bytes.toString("latin1", at, end);
    if (lineFeed < 0) return end;
    const line = this.line;
    this.line = "";
    if (!line.endsWith("\r")) this.failure = refusal(400, "bare line feed in a chunked body");
    else this.endLine(line.slice(0, -1));
    return lineFeed + 1;
  }

  private endLine(line: string): void {
    if (notInLine.test(line)) this.failure = refusal(400, "invalid character in a chunked body");
    else if (this.expecting === Expecting.Size) this.startChunk(line);
    else if (this.expecting === Expecting.Trailer) this.endTrailer(line);
    else if (line !== "") this.failure = refusal(400, "a chunk is longer than its size");
    else this.expecting = Expecting.Size;
  }

  private startChunk(line: string): void {
    const extension = line.indexOf(";");
    const digits = extension < 0 ? line : line.slice(0, extension);
    if (!chunkSize.test(digits)) {
      this.failure = refusal(400, "malformed chunk size");
      return;
    }
    this.left = Number.parseInt(digits, 16);
    if (this.content.length + this.left > this.limit) this.failure = bodyTooLarge(this.limit);
    else this.expecting = this.left === 0 ? Expecting.Trailer : Expecting.Data;
  }

  /** Trailer fields are read and dropped: nothing of ours uses them. */
  private endTrailer(line: string): void {
    if (line === "") this.expecting = Expecting.Nothing;
    else if (++this.trailers > mostTrailers || !line.includes(":")) this.failure = refusal(400, "malformed trailer");
  }
}
