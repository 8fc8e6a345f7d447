import { createHash } from "node:crypto";
import type { Storage, StorageEvent } from "../storage.ts";
import { blockHeadBytes, blockTypes, type BlockType, encodeJson, encodeRecords, formatVersion, magic, type SnapshotHeader, type SnapshotRecord } from "./format.ts";

/** What one block is to hold, and one turn of the event loop to read: about a millisecond's work on a small board. */
const pageBytes = 128 * 1024;
const mostKeys = 1000;

export interface SnapshotSummary {
  /** The state is that of this revision. */
  revision: number;
  /** A key that was written to meanwhile has more than one. */
  records: number;
  bytes: number;
}

/**
 * Writes the state of `storage` at one revision, the newest there is at the end, while it is read and written by others. Needs no history:
 * reads page after page of the present, and then tells what has changed since it began. `write` may be asynchronous; the next block waits for it.
 * Nothing is held up for more than a few milliseconds. Rejects with what the storage or `write` rejects with.
 */
export async function writeSnapshot(storage: Storage, write: (bytes: Uint8Array) => void | Promise<void>, { by, at }: SnapshotHeader): Promise<SnapshotSummary> {
  const output = blockWriter(write);
  const changes = follow(storage);
  let records = 0;
  const put = async (page: readonly SnapshotRecord[]): Promise<void> => {
    if (page.length === 0) return;
    records += page.length;
    await output.block(blockTypes.records, encodeRecords(page));
  };
  try {
    await output.raw(Buffer.from(magic(formatVersion)));
    await output.block(blockTypes.header, encodeJson({ by, at }));
    let newestRead = 0;
    for await (const { items, revision } of pages(storage)) {
      newestRead = Math.max(newestRead, revision);
      await put(items);
      // Bounds what is remembered; whatever is read of these keys hereafter is as new or newer.
      if (changes.size() > mostKeys) await put(changes.take());
    }
    await changes.reached(newestRead);
    const revision = storage.revision;
    for (const page of split(changes.take())) await put(page);
    await output.block(blockTypes.trailer, encodeJson({ revision, records }));
    await output.checksum();
    return { revision, records, bytes: output.bytes() };
  } finally {
    changes.stop();
  }
}

/** The present, in pages of about `pageBytes`: objects differ by a factor of a thousand in size. */
async function* pages(storage: Storage): AsyncGenerator<{ items: readonly SnapshotRecord[]; revision: number }> {
  let limit = 16, after = "";
  for (;;) {
    const { items, revision, more } = await storage.list("", { limit, after });
    yield { items, revision };
    if (!more) return;
    after = items.at(-1)!.key;
    const bytes = items.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
    limit = Math.max(1, Math.min(mostKeys, limit * 4, Math.floor((items.length * pageBytes) / bytes)));
  }
}

function* split(records: readonly SnapshotRecord[]): Generator<readonly SnapshotRecord[]> {
  let page: SnapshotRecord[] = [], bytes = 0;
  for (const record of records) {
    page.push(record);
    if ((bytes += record.key.length + (record.value?.length ?? 0)) < pageBytes) continue;
    yield page;
    page = [];
    bytes = 0;
  }
  yield page;
}

interface Changes {
  size(): number;
  /** The newest state of each key written to since the last call. */
  take(): SnapshotRecord[];
  /** Resolves when every write up to `revision` is known. */
  reached(revision: number): Promise<void>;
  stop(): void;
}

function follow(storage: Storage): Changes {
  const stopped = new AbortController();
  let changed = new Map<string, SnapshotRecord>();
  let wake = (): void => undefined;
  const note = (events: readonly StorageEvent[]): void => {
    for (const { type, key, revision, value } of events) changed.set(key, { key, revision, ...(type === "put" ? { value } : {}) });
    wake();
  };
  let failure: unknown;
  storage.watch("", storage.revision, note, stopped.signal).catch((error: unknown) => {
    failure = error;
    wake();
  });
  return {
    size: () => changed.size,
    take() {
      const taken = [...changed.values()];
      changed = new Map();
      return taken;
    },
    async reached(revision) {
      while (storage.revision < revision && failure === undefined) await new Promise<void>((resolve) => (wake = resolve));
      if (failure !== undefined) throw failure;
    },
    stop: () => stopped.abort(),
  };
}

function blockWriter(write: (bytes: Uint8Array) => void | Promise<void>) {
  const hash = createHash("sha256");
  let bytes = 0;
  const raw = async (chunk: Uint8Array): Promise<void> => {
    hash.update(chunk);
    bytes += chunk.length;
    await write(chunk);
  };
  return {
    raw,
    async block(type: BlockType, content: Buffer): Promise<void> {
      const compressed = await Bun.zstdCompress(content);
      const block = Buffer.allocUnsafe(blockHeadBytes + compressed.length);
      block.writeUInt8(type, 0);
      block.writeUInt32BE(compressed.length, 1);
      block.set(compressed, blockHeadBytes);
      await raw(block);
    },
    checksum: (): Promise<void> => raw(hash.copy().digest()),
    bytes: (): number => bytes,
  };
}
