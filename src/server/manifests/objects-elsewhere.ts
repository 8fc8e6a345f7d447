import { readFile } from "node:fs/promises";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { ServedKinds } from "../../client/controller.ts";
import type { AddOn, ObjectRecord } from "./addon.ts";
import type { ManifestFiles } from "./manifest-files.ts";
import { identityOf, type IsNamespaced, nameManifests, readManifests } from "./plan.ts";

/**
 * Which file but that of the AddOn `name` wants an object, by the object's identity: an object that moves from one file to another, or that
 * two files have, is not to be pruned when one of them gives it up. What a file that can't be read wants, its AddOn tells.
 */
export async function objectsElsewhere(name: string, { files, held }: ManifestFiles, addons: readonly Frozen<AddOn>[], kinds: ServedKinds): Promise<Map<string, string>> {
  const elsewhere = new Map<string, string>();
  const isNamespaced = scopesOf(kinds);
  const note = (owner: string, records: readonly Frozen<ObjectRecord>[]): void => {
    for (const record of records) elsewhere.set(identityOf(record), owner);
  };
  const recorded = (owner: string): readonly Frozen<ObjectRecord>[] => addons.find(({ metadata }) => metadata.name === owner)?.status?.objects ?? [];
  for (const file of files.values()) {
    if (file.name === name) continue;
    try {
      note(file.name, nameManifests(readManifests(await readFile(file.path, "utf8")), isNamespaced).map(({ record }) => record));
    } catch {
      note(file.name, recorded(file.name));
    }
  }
  for (const owner of held) if (owner !== name) note(owner, recorded(owner));
  return elsewhere;
}

/** The scope of what is served now. */
export function scopesOf({ cards }: ServedKinds): IsNamespaced {
  return ({ group = "", version, kind }) => {
    const card = cards.find((one) => one.group === group && one.kind === kind && one.version === version);
    return card && card.scope === "Namespaced";
  };
}
