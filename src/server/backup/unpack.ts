import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { readIfExists, writeFileAtomic } from "../../base/files.ts";
import type { SnapshotContents } from "../../storage/snapshot/read-snapshot.ts";
import { type ArchiveAbout, readArchive } from "./archive.ts";
import type { BackedUpFile } from "./backed-up-files.ts";
import { syncDirectories } from "./swap.ts";

export interface Unpacked {
  about: ArchiveAbout;
  contents: SnapshotContents;
  /** Not written anywhere yet. */
  config: BackedUpFile[];
}

/** Writes what is to be a server's directory to `fresh`; `state` does so with the state. Rejects, with some of it there, when a backup isn't whole. */
export async function unpack(source: ReadableStream<Uint8Array>, name: string, fresh: string, state: (snapshot: AsyncIterable<Uint8Array>) => Promise<SnapshotContents>): Promise<Unpacked> {
  const config: BackedUpFile[] = [];
  let about: ArchiveAbout | undefined, contents: SnapshotContents | undefined;
  mkdirSync(fresh, { mode: 0o700 });
  await readArchive(source, name, {
    begin: (found) => void (about = found),
    file(file) {
      if (file.name.startsWith("config/")) config.push(file);
      else writeFileAtomic(join(fresh, file.name.slice("server/".length)), file.content, file.mode);
    },
    async state(snapshot) {
      contents = await state(snapshot);
    },
  });
  syncDirectories(fresh);
  return { about: about!, contents: contents!, config };
}

/** Configuration files: those put in place, and those that lie beside another of that name, under this one. */
export interface PlacedConfig {
  placed: string[];
  beside: string[];
}

/** This machine's own configuration is left as it is. */
export function placeConfig(files: readonly BackedUpFile[], directory: string): PlacedConfig {
  const placed: string[] = [], beside: string[] = [];
  for (const { name, content, mode } of files) {
    const path = join(directory, name.slice("config/".length)), existing = readIfExists(path);
    if (existing === Buffer.from(content).toString()) continue;
    const to = existing === undefined ? path : `${path}.from-backup`;
    (existing === undefined ? placed : beside).push(to);
    writeFileAtomic(to, content, mode);
  }
  return { placed, beside };
}
