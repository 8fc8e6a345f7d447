import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { zstdDecompress } from "node:zlib";
import { blockHeadBytes, blockTypes, checksumBytes, decodeRecords, formatVersion, largestBlockBytes, magic, SnapshotError, type SnapshotHeader, type SnapshotRecord, type SnapshotTrailer } from "./format.ts";

const decompress = promisify(zstdDecompress);

/** What a snapshot says of itself. */
export type SnapshotContents = SnapshotHeader & SnapshotTrailer;

/**
 * Reads a snapshot to its end, page by page. Nothing that `each` is given may be believed before this has resolved: only then is it known
 * that all was there and unchanged. Rejects with a `SnapshotError` for what is damaged, foreign or of a newer format.
 */
export async function readSnapshot(source: AsyncIterable<Uint8Array>, each: (records: readonly SnapshotRecord[]) => void | Promise<void>): Promise<SnapshotContents> {
  const input = new Input(source);
  checkMagic(await input.line(magic(Number.MAX_SAFE_INTEGER).length));
  let header: SnapshotHeader | undefined, records = 0;
  for (;;) {
    const { type, content } = await nextBlock(input);
    if (header === undefined) {
      if (type !== blockTypes.header) throw damaged("it has no header");
      header = parseJson<SnapshotHeader>(content);
    } else if (type === blockTypes.records) {
      const page = decodeRecords(content);
      records += page.length;
      await each(page);
    } else if (type === blockTypes.trailer) {
      const trailer = parseJson<SnapshotTrailer>(content);
      const checksum = input.digest();
      if (!checksum.equals(await input.take(checksumBytes)) || trailer.records !== records) throw damaged("its checksum is another");
      if (!(await input.ended())) throw damaged("something follows its end");
      return { ...header, ...trailer };
    } else throw damaged("it has a block of an unknown type");
  }
}

const damaged = (how: string, cause?: unknown): SnapshotError => new SnapshotError("damaged", `is damaged: ${how}`, { cause });

function checkMagic(line: string): void {
  const version = Number(/^skiff-snapshot (\d+)\n$/.exec(line)?.[1]);
  if (!(version >= 1)) throw new SnapshotError("foreign", "is no snapshot of Skiff's");
  if (version > formatVersion) throw new SnapshotError("newer", `was written by a newer Skiff (its format is ${version}, this one reads ${formatVersion}): use that version, or a newer one`);
}

async function nextBlock(input: Input): Promise<{ type: number; content: Buffer }> {
  const head = await input.take(blockHeadBytes);
  const length = head.readUInt32BE(1);
  if (length > largestBlockBytes) throw damaged("a block has an impossible length");
  const compressed = await input.take(length);
  try {
    return { type: head.readUInt8(0), content: await decompress(compressed, { maxOutputLength: largestBlockBytes }) as Buffer };
  } catch (error) {
    throw damaged("a block can't be decompressed", error);
  }
}

function parseJson<T>(content: Buffer): T {
  try {
    return JSON.parse(content.toString()) as T;
  } catch (error) {
    throw damaged("a block can't be read", error);
  }
}

/** Bytes by number from chunks of any size, and the hash of those taken. */
class Input {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #hash = createHash("sha256");
  #have: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#chunks = source[Symbol.asyncIterator]();
  }

  async take(length: number): Promise<Buffer> {
    if (!(await this.#fill(length))) throw damaged("it ends too early, so it was cut off while it was written or copied");
    const taken = this.#have.subarray(0, length);
    this.#have = this.#have.subarray(length);
    this.#hash.update(taken);
    return taken;
  }

  /** Up to and with the next line's end, if that comes within `longest` bytes; else what there is. */
  async line(longest: number): Promise<string> {
    await this.#fill(longest);
    const end = this.#have.subarray(0, longest).indexOf("\n") + 1;
    return (await this.take(end || Math.min(longest, this.#have.length))).toString("latin1");
  }

  /** Of everything taken so far. */
  digest(): Buffer {
    return this.#hash.copy().digest();
  }

  async ended(): Promise<boolean> {
    return !(await this.#fill(1));
  }

  async #fill(length: number): Promise<boolean> {
    const parts = [this.#have];
    let size = this.#have.length;
    while (size < length) {
      const { done, value } = await this.#chunks.next();
      if (done) break;
      parts.push(Buffer.from(value.buffer, value.byteOffset, value.byteLength));
      size += value.length;
    }
    if (parts.length > 1) this.#have = Buffer.concat(parts);
    return size >= length;
  }
}
