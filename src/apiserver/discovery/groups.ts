import { createHash } from "node:crypto";
import type { AnyResource } from "../../apimachinery/resource.ts";
import type { APIGroup, APIResource, APIResourceList } from "../../apis/generated/meta/v1.ts";
import { subresourcesOf } from "../subresources.ts";

export interface ServedGroup {
  /** Empty for the core group. */
  name: string;
  /** Preferred first. */
  versions: { version: string; cards: AnyResource[] }[];
}

/** Cards by group and version: the core group, then groups in the order of the table. */
export function groupsOf(cards: readonly AnyResource[]): ServedGroup[] {
  const groups: ServedGroup[] = [{ name: "", versions: [] }];
  for (const card of cards) {
    let group = groups.find(({ name }) => name === card.group);
    if (!group) groups.push(group = { name: card.group, versions: [] });
    const version = group.versions.find((each) => each.version === card.version);
    if (version) version.cards.push(card);
    else group.versions.push({ version: card.version, cards: [card] });
  }
  for (const { versions } of groups) versions.sort((a, b) => compareVersions(a.version, b.version));
  return groups;
}

/** `v2` before `v1` before `v1beta2` before `v1beta1`. Source: k8s.io/apimachinery/pkg/version CompareKubeAwareVersionStrings. */
export function compareVersions(a: string, b: string): number {
  const rank = (version: string): [number, number, number] => {
    const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version);
    if (!match) return [-1, 0, 0];
    return [match[2] === undefined ? 2 : match[2] === "beta" ? 1 : 0, Number(match[1]), Number(match[3] ?? 0)];
  };
  const left = rank(a), right = rank(b);
  return right[0] - left[0] || right[1] - left[1] || right[2] - left[2] || (a < b ? -1 : a > b ? 1 : 0);
}

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
  createHash("sha256").update(`${card.group}/${card.version}/${card.kind}`).digest().subarray(0, 8).toString("base64");
