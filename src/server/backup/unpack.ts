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

/** This machine's own configuration is left as it is; files that say nothing, such as those of a fresh installation, are no configuration. */
export function placeConfig(files: readonly BackedUpFile[], directory: string): PlacedConfig {
  const placed: string[] = [], beside: string[] = [];
  for (const { name, content, mode } of files) {
    const path = join(directory, name.slice("config/".length)), existing = readIfExists(path);
    const text = Buffer.from(content).toString(), free = existing === undefined || saysNothing(existing);
    if (existing === text || (existing !== undefined && saysNothing(text))) continue;
    const to = free ? path : `${path}.from-backup`;
    (free ? placed : beside).push(to);
    writeFileAtomic(to, content, mode);
  }
  return { placed, beside };
}

/** Nothing but comments. */
const saysNothing = (text: string): boolean => text.split("\n").every((line) => /^\s*(#|$)/.test(line));
