import { createHash } from "node:crypto";
import { notAcceptable } from "../../apimachinery/status.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import { accepts, parseAccept } from "../encoding/media-type.ts";
import { aggregated } from "./aggregated.ts";
import { apiGroup, apiResourceList, groupsOf, withRemoteGroups, type RemoteGroup, type ServedGroup } from "./groups.ts";

/** A body that is made once and answered 304 to who has it. */
export interface Document {
  contentType: string;
  body: string;
  etag: string;
}

export interface Discovery {
  /** `/api` and `/apis`: aggregated where Accept asks for it. Throws 406. */
  root(path: "/api" | "/apis", accept: string | undefined): Document;
  group(name: string): Document | undefined;
  /** The core group has an empty name. */
  version(group: string, version: string): Document | undefined;
  groupVersions(): string[];
}

/** What extension API servers add. */
export interface RemoteGroups {
  /** A new array when something has changed. */
  groups(): readonly RemoteGroup[];
  /** Where a group of ours stands among them. */
  priorityOf(group: string): number;
}

const noRemotes: readonly RemoteGroup[] = [];

/** Discovery from the cards and what remote servers serve; built anew when either list is another, as it is after a CRD. */
export function createDiscovery(cards: () => readonly AnyResource[], remote?: RemoteGroups): Discovery {
  let documents = new Map<string, Document | undefined>();
  let served: readonly AnyResource[] = [], remotes = noRemotes, groups: ServedGroup[] = [];

  function cached(key: string, make: (groups: readonly ServedGroup[]) => { contentType?: string; value: object } | undefined): Document | undefined {
    const now = cards(), remoteNow = remote?.groups() ?? noRemotes;
    if (now !== served || remoteNow !== remotes || groups.length === 0) {
      served = now;
      remotes = remoteNow;
      groups = remote ? withRemoteGroups(groupsOf(now), remoteNow, remote.priorityOf) : groupsOf(now);
      documents = new Map();
    }
    let found = documents.get(key);
    if (found) return found;
    const made = make(groups);
    if (made) documents.set(key, found = document(made.value, made.contentType));
    return found;
  }

  return {
    root(path, accept) {
      const version = aggregatedVersion(accept);
      const inPath = (all: readonly ServedGroup[]): ServedGroup[] => all.filter(({ name }) => (name === "") === (path === "/api"));
      if (version) {
        return cached(`${path};${version}`, (all) => ({ contentType: `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`, value: aggregated(version, inPath(all)) }))!;
      }
      return cached(path, (all) => ({
        value: path === "/api"
          ? { kind: "APIVersions", versions: inPath(all).flatMap(({ versions }) => versions.map(({ version: each }) => each)), serverAddressByClientCIDRs: [] }
          : { kind: "APIGroupList", apiVersion: "v1", groups: inPath(all).map(apiGroup) },
      }))!;
    },
    group: (name) => cached(`/apis/${name}`, (all) => {
      const found = name && all.find((group) => group.name === name);
      return found ? { value: { kind: "APIGroup", apiVersion: "v1", ...apiGroup(found) } } : undefined;
    }),
    version: (group, version) => cached(`/apis/${group}/${version}`, (all) => {
      const found = all.find(({ name }) => name === group)?.versions.find((each) => each.version === version);
      return found ? { value: apiResourceList(group ? `${group}/${version}` : version, found.cards) } : undefined;
    }),
    groupVersions: () => groupsOf(cards()).flatMap(({ name, versions }) => versions.map(({ version }) => (name ? `${name}/${version}` : version))),
  };
}

function document(value: object, contentType = "application/json"): Document {
  const body = JSON.stringify(value);
  return { contentType, body, etag: `"${createHash("sha256").update(body).digest("hex").slice(0, 32).toUpperCase()}"` };
}

/** Undefined for the plain document; the first acceptable clause counts. */
function aggregatedVersion(accept: string | undefined): "v2" | "v2beta1" | undefined {
  for (const clause of parseAccept(accept)) {
    if (!accepts(clause, "application/json")) continue;
    const { as, g, v } = clause.parameters;
    if (as === undefined) return undefined;
    if (as === "APIGroupDiscoveryList" && g === "apidiscovery.k8s.io" && (v === "v2" || v === "v2beta1")) return v;
  }
  throw notAcceptable("only the following media types are accepted: application/json");
}
