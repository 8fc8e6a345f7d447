/**
 * A snapshot is a line that names the format, then blocks: a byte for their type, four for the length (big-endian) of what follows, which
 * is compressed with Zstandard. First a header, then any number of blocks of records, then a trailer; last the SHA-256 of every byte before it.
 * Records are in no order that means anything but this: of two for one key the later one counts.
 */
export const magic = (version: number): string => `skiff-snapshot ${version}\n`;
export const formatVersion = 1;

export const blockTypes = { header: 1, records: 2, trailer: 3 } as const;
export type BlockType = (typeof blockTypes)[keyof typeof blockTypes];
/** Of a block, before its content: type and length. */
export const blockHeadBytes = 5;
export const checksumBytes = 32;
/** No block that we write comes near; a length beyond it is damage. */
export const largestBlockBytes = 64 * 1024 * 1024;

export interface SnapshotHeader {
  /** The version of Skiff that wrote it. */
  by: string;
  /** When it was begun: milliseconds since the epoch, by a clock that may have been wrong. */
  at: number;
}

export interface SnapshotTrailer {
  /** The state is that of this revision. */
  revision: number;
  records: number;
}

/** What a key holds at the snapshot's revision; without a value it is gone. */
export interface SnapshotRecord {
  key: string;
  /** Of the last write to the key. */
  revision: number;
  value?: Uint8Array;
}

/** A clause of a sentence that begins with the snapshot's name: "… is damaged: it ends too early". */
export class SnapshotError extends Error {
  override readonly name = "SnapshotError";
  constructor(readonly code: "foreign" | "newer" | "damaged", message: string, options?: ErrorOptions) {
    super(message, options);
  }
}

/** The length of a value that stands for none. */
const noValue = 0xffff_ffff;
/** Lengths of key and value, and the revision. */
const recordHeadBytes = 16;

export function encodeRecords(records: readonly SnapshotRecord[]): Buffer {
  const keys = records.map(({ key }) => Buffer.from(key));
  const size = records.reduce((sum, { value }, at) => sum + recordHeadBytes + keys[at]!.length + (value?.length ?? 0), 0);
  const bytes = Buffer.allocUnsafe(size);
  let offset = 0;
  for (const [at, { revision, value }] of records.entries()) {
    const key = keys[at]!;
    bytes.writeUInt32BE(key.length, offset);
    bytes.writeUInt32BE(value ? value.length : noValue, offset + 4);
    bytes.writeBigUInt64BE(BigInt(revision), offset + 8);
    bytes.set(key, offset += recordHeadBytes);
    offset += key.length;
    if (value) bytes.set(value, offset);
    offset += value?.length ?? 0;
  }
  return bytes;
}

export function decodeRecords(bytes: Buffer): SnapshotRecord[] {
  const records: SnapshotRecord[] = [];
  const upTo = (end: number): number => {
    if (end > bytes.length) throw new SnapshotError("damaged", "is damaged: a record goes beyond its block");
    return end;
  };
  for (let offset = 0; offset < bytes.length;) {
    const keyAt = upTo(offset + recordHeadBytes);
    const valueAt = upTo(keyAt + bytes.readUInt32BE(offset)), length = bytes.readUInt32BE(offset + 4);
    const record = { key: bytes.toString("utf8", keyAt, valueAt), revision: Number(bytes.readBigUInt64BE(offset + 8)) };
    if (length === noValue) {
      records.push(record);
      offset = valueAt;
    } else {
      offset = upTo(valueAt + length);
      records.push({ ...record, value: new Uint8Array(bytes.subarray(valueAt, offset)) });
    }
  }
  return records;
}

export const encodeJson = (value: SnapshotHeader | SnapshotTrailer): Buffer => Buffer.from(JSON.stringify(value));
