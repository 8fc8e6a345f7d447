import { createHash } from "node:crypto";
import type { AnyResource } from "../../apimachinery/resource.ts";
import { compareKubeVersions } from "../../apimachinery/version-priority.ts";
import type { APIResourceDiscovery } from "../../apis/generated/apidiscovery/v2.ts";
import type { APIGroup, APIResource, APIResourceList } from "../../apis/generated/meta/v1.ts";
import { groupPriority } from "../aggregation/priorities.ts";
import { subresourcesOf } from "../subresources.ts";

export interface ServedGroup {
  /** Empty for the core group. */
  name: string;
  /** Preferred first. */
  versions: { version: string; cards: AnyResource[]; remote?: RemoteVersion }[];
}

/** What an extension API server serves: discovery knows it from hearsay. */
export interface RemoteVersion {
  resources: readonly APIResourceDiscovery[];
  freshness: "Current" | "Stale";
}

/** A group in discovery that extension API servers serve, or add versions to. */
export interface RemoteGroup {
  name: string;
  /** Groups with higher ones come first. */
  priority: number;
  /** Preferred first. */
  versions: readonly { version: string; remote: RemoteVersion }[];
}

/** Puts remote groups among ours; `priorityOf` says where ours stand. A version that we serve ourselves stays ours. */
export function withRemoteGroups(own: readonly ServedGroup[], remote: readonly RemoteGroup[], priorityOf: (group: string) => number): ServedGroup[] {
  const groups = own.map(({ name, versions }) => ({ name, versions: [...versions] }));
  for (const { name, priority, versions } of remote) {
    const added = versions.map(({ version, remote: served }) => ({ version, cards: [], remote: served }));
    const known = groups.find((group) => group.name === name);
    if (known) known.versions.push(...added.filter(({ version }) => !known.versions.some((each) => each.version === version)));
    else {
      const behind = groups.findIndex((group) => priorityOf(group.name) < priority);
      groups.splice(behind < 0 ? groups.length : behind, 0, { name, versions: added });
    }
  }
  return groups;
}

/** Cards by group and version: the core group first, then groups by their priority and name. */
export function groupsOf(cards: readonly AnyResource[]): ServedGroup[] {
  const groups = new Map<string, ServedGroup>([["", { name: "", versions: [] }]]);
  for (const card of cards) {
    let group = groups.get(card.group);
    if (!group) groups.set(card.group, group = { name: card.group, versions: [] });
    const version = group.versions.find((each) => each.version === card.version);
    if (version) version.cards.push(card);
    else group.versions.push({ version: card.version, cards: [card] });
  }
  for (const { versions } of groups.values()) versions.sort((a, b) => compareKubeVersions(a.version, b.version));
  const [core, ...others] = groups.values();
  return [core!, ...others.sort((a, b) => priorityOf(b) - priorityOf(a) || (a.name < b.name ? -1 : 1))];
}

/** The aggregator's own group comes before those that it registers. */
const priorityOf = ({ name }: ServedGroup): number => (name === "apiregistration.k8s.io" ? 20_000 : groupPriority(name));

export function apiGroup({ name, versions }: ServedGroup): APIGroup {
  const served = versions.map(({ version }) => ({ groupVersion: `${name}/${version}`, version }));
  return { name, versions: served, preferredVersion: served[0] };
}

/** The document at `/api/v1` and `/apis/GROUP/VERSION`. */
export function apiResourceList(groupVersion: string, cards: readonly AnyResource[]): APIResourceList {
  const sorted = [...cards].sort((a, b) => (a.resource < b.resource ? -1 : 1));
  return { kind: "APIResourceList", apiVersion: "v1", groupVersion, resources: sorted.flatMap(resourcesOf) };
}

function resourcesOf(card: AnyResource): APIResource[] {
  const namespaced = card.scope === "Namespaced";
  const main: APIResource = {
    name: card.resource, singularName: card.singular, namespaced, kind: card.kind, verbs: [...card.verbs].sort(),
    ...(card.shortNames.length ? { shortNames: [...card.shortNames] } : {}), ...(card.categories.length ? { categories: [...card.categories] } : {}),
    ...(card.verbs.includes("get") ? { storageVersionHash: storageVersionHash(card) } : {}),
  };
  const below = subresourcesOf(card).map(({ name, kind, verbs }): APIResource => ({
    name: `${card.resource}/${name}`, singularName: "", namespaced,
    ...(kind.group === card.group && kind.version === card.version ? {} : { group: kind.group, version: kind.version }),
    kind: kind.kind, verbs: [...verbs].sort(),
  }));
  return [main, ...below];
}

/** Changes when objects are stored as another version. Source: k8s.io/apiserver/pkg/endpoints/discovery StorageVersionHash. */
const storageVersionHash = (card: AnyResource): string =>
  createHash("sha256").update(`${card.stored?.group ?? card.group}/${card.stored?.version ?? card.version}/${card.kind}`).digest().subarray(0, 8).toString("base64");
