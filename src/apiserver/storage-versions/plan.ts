import { apiVersionOf, type AnyResource } from "../../apimachinery/resource.ts";
import { compareKubeVersions } from "../../apimachinery/version-priority.ts";
import { withStorageVersions } from "../../apis/apiserverinternal/storageversion-status.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { ServerStorageVersion, StorageVersion, StorageVersionStatus } from "../../apis/generated/apiserverinternal/v1alpha1.ts";

/**
 * What this server says of the versions of each resource it stores, by the name of the StorageVersion: `<group>.<resource>`, with `core` for
 * the core group. Kinds that show the objects of another belong to that: the events of events.k8s.io are those of the core group.
 */
export function storageVersionsOf(cards: readonly AnyResource[], apiServerID: string): Map<string, ServerStorageVersion> {
  const byStorage = new Map<string, AnyResource[]>();
  for (const card of cards) {
    // A review or a binding is answered, and kept nowhere.
    if (!card.verbs.includes("list") || !card.verbs.includes("create")) continue;
    const { group, resource } = card.stored ?? card, name = `${group || "core"}.${resource}`;
    const sharing = byStorage.get(name);
    if (sharing) sharing.push(card);
    else byStorage.set(name, [card]);
  }
  return new Map([...byStorage].map(([name, sharing]) => {
    // One that is stored as it is served knows best; one that is stored in another form may still be so in its own version.
    const encodingVersion = sharing.map(encodingVersionOf).find((version) => version !== undefined) ?? apiVersionOf(sharing[0]!);
    const { group } = sharing[0]!.stored ?? sharing[0]!;
    const ofGroup = sharing.filter((card) => card.group === group).toSorted(byPriority), others = sharing.filter((card) => card.group !== group);
    const known = (sharing[0]!.stored?.decodes ?? []).map((version) => ({ group, version })).toSorted(byPriority);
    const decodableVersions = [...new Set([...known, ...ofGroup, ...others].map(apiVersionOf))];
    if (!decodableVersions.includes(encodingVersion)) decodableVersions.unshift(encodingVersion);
    return [name, { apiServerID, encodingVersion, decodableVersions, servedVersions: ofGroup.map(apiVersionOf) }] as const;
  }));
}

const byPriority = (a: { version: string }, b: { version: string }): number => compareKubeVersions(a.version, b.version);

const encodingVersionOf = (card: AnyResource): string | undefined =>
  (card.stored ? card.stored.version && apiVersionOf({ group: card.stored.group, version: card.stored.version }) : apiVersionOf(card));

export type Publication = { action: "create" | "delete" } | { action: "update"; status: StorageVersionStatus };

/** What makes `current` say about this server what is `wanted`; undefined when it does. Others' entries stay. */
export function planPublication(current: Frozen<StorageVersion> | undefined, wanted: ServerStorageVersion | undefined, { apiServerID, now }: { apiServerID: string; now: string }): Publication | undefined {
  if (!current) return wanted && { action: "create" };
  const versions = current.status?.storageVersions ?? [], place = versions.findIndex((version) => version.apiServerID === apiServerID);
  if (place < 0 && !wanted) return versions.length === 0 ? { action: "delete" } : undefined;
  if (wanted && Bun.deepEquals(versions[place], wanted)) return undefined;
  const next = place < 0 ? [...versions, wanted!] : versions.flatMap((version, index) => (index !== place ? [version] : wanted ? [wanted] : []));
  if (next.length === 0) return { action: "delete" };
  return { action: "update", status: withStorageVersions(current.status ?? {}, next, { generation: current.metadata.generation, now }) };
}
