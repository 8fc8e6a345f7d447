import { createHash } from "node:crypto";
import { createTarDecoder, createTarPacker, type ParsedTarEntry } from "modern-tar";
import { UsageError } from "../settings.ts";
import type { BackedUpFile } from "./backed-up-files.ts";

/**
 * A backup is a tar archive: first what it says of itself, then files, then a snapshot of the state in parts (`cat state/*` is the snapshot).
 * Any tool can look into it; only Skiff can tell whether it is whole.
 */
export const archiveVersion = 1;
const aboutName = "skiff-backup.json";
const statePart = /^state\/\d{6}$/;
const partBytes = 1024 * 1024;

export interface ArchiveAbout {
  /** The version of Skiff that wrote it. */
  skiff: string;
  /** RFC 3339; by a clock that may have been wrong. */
  created: string;
  nodeName: string;
}

interface Manifest extends ArchiveAbout {
  version: number;
  files: { name: string; sha256: string }[];
}

/** Writes a snapshot and resolves when it is whole. */
type WriteState = (write: (bytes: Uint8Array) => Promise<void>) => Promise<unknown>;

/** The archive, made while it is read: a slow reader slows it down. Breaks with whatever `writeState` rejects with. */
export function writeArchive({ about, files, writeState }: { about: ArchiveAbout; files: readonly BackedUpFile[]; writeState: WriteState }): ReadableStream<Uint8Array> {
  const { readable, controller } = createTarPacker();
  const mtime = new Date(about.created);
  const add = async (name: string, content: Uint8Array, mode = 0o600): Promise<void> => {
    const writer = controller.add({ name, size: content.length, mode, mtime }).getWriter();
    await writer.write(content);
    await writer.close();
  };
  const produce = async (): Promise<void> => {
    const manifest: Manifest = { version: archiveVersion, ...about, files: files.map(({ name, content }) => ({ name, sha256: sha256(content) })) };
    await add(aboutName, Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`));
    for (const { name, content, mode } of files) await add(name, content, mode);
    let part: Uint8Array[] = [], size = 0, parts = 0;
    const flush = async (): Promise<void> => {
      const content = Buffer.concat(part);
      part = [];
      size = 0;
      await add(`state/${String(parts++).padStart(6, "0")}`, content);
    };
    await writeState(async (bytes) => {
      part.push(bytes);
      if ((size += bytes.length) >= partBytes) await flush();
    });
    if (size > 0) await flush();
    controller.finalize();
  };
  produce().catch((error: unknown) => controller.error(error));
  return readable;
}

export interface ArchiveReader {
  begin(about: ArchiveAbout): void;
  file(file: BackedUpFile): void;
  /** Must read all of it, and reject unless the snapshot is whole. */
  state(snapshot: AsyncIterable<Uint8Array>): Promise<void>;
}

/** Hands over what an archive holds. Nothing of it may be believed before this resolves. Throws a `UsageError`: `name` is the archive's in it. */
export async function readArchive(source: ReadableStream<Uint8Array>, name: string, reader: ArchiveReader): Promise<void> {
  const entries = entriesOf(source, name);
  const { version: _, files, ...about } = await readManifest((await entries.next()).value, name);
  reader.begin(about);
  const missing = new Map(files.map((file) => [file.name, file.sha256]));
  for await (const entry of entries) {
    if (statePart.test(entry.header.name)) {
      if (missing.size > 0) break;
      await reader.state(stateOf(entry, entries, name));
      return;
    }
    const content = await contentOf(entry, name);
    if (missing.get(entry.header.name) !== sha256(content)) throw new UsageError(`${name} is damaged: ${JSON.stringify(entry.header.name)} is not what was put in; take another backup`);
    missing.delete(entry.header.name);
    reader.file({ name: entry.header.name, mode: entry.header.mode ?? 0o600, content });
  }
  throw new UsageError(`${name} is damaged: it ends too early, so it was cut off while it was written or copied; take another backup`);
}

async function* stateOf(first: ParsedTarEntry, rest: AsyncIterable<ParsedTarEntry>, name: string): AsyncGenerator<Uint8Array> {
  yield* chunksOf(first.body, name);
  for await (const entry of rest) yield* chunksOf(entry.body, name);
}

async function* entriesOf(source: ReadableStream<Uint8Array>, name: string): AsyncGenerator<ParsedTarEntry> {
  const { readable, writable } = createTarDecoder({ strict: true });
  const piped = source.pipeTo(writable);
  // Awaited below, unless the readable side breaks first.
  piped.catch(() => undefined);
  yield* chunksOf(readable, name);
  // What follows the last entry may be broken too, and then somebody has changed the file.
  await piped.catch((error: unknown) => unreadable(error, name));
}

async function readManifest(entry: ParsedTarEntry | void, name: string): Promise<Manifest> {
  const foreign = (cause?: unknown): UsageError => new UsageError(`${name} is no backup of Skiff's`, { cause });
  if (entry?.header.name !== aboutName) throw foreign();
  let manifest: Manifest;
  try {
    manifest = JSON.parse(Buffer.from(await contentOf(entry, name)).toString()) as Manifest;
  } catch (error) {
    throw foreign(error);
  }
  if (manifest.version > archiveVersion) throw new UsageError(`${name} was written by a newer Skiff (${manifest.skiff}): restore it with that version, or a newer one`);
  const wrong = manifest.files.find((file) => !/^(server|config)\/./.test(file.name) || file.name.split("/").some((part) => part === "" || part === "." || part === ".."));
  if (wrong) throw new UsageError(`${name} is damaged: it names a file ${JSON.stringify(wrong.name)}, which can't be in a backup`);
  return manifest;
}

async function contentOf(entry: ParsedTarEntry, name: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of chunksOf(entry.body, name)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Of the archive, or of an entry: wherever it breaks, the error names the archive. */
async function* chunksOf<T>(stream: ReadableStream<T>, name: string): AsyncGenerator<T> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => unreadable(error, name));
      if (done) return;
      yield value;
    }
  } finally {
    reader.releaseLock();
  }
}

function unreadable(error: unknown, name: string): never {
  throw error instanceof UsageError ? error : new UsageError(`${name} can't be read: it is no backup of Skiff's, or is damaged (${(error as Error).message})`, { cause: error });
}

const sha256 = (content: Uint8Array): string => createHash("sha256").update(content).digest("hex");
