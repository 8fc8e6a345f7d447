import { createHash } from "node:crypto";
import type { AnyResource } from "../../apimachinery/resource.ts";
import type { DiscoveryForm } from "../encoding/negotiation.ts";
import type { Kinded } from "../encoding/object-json.ts";
import { aggregated } from "./aggregated.ts";
import { apiGroup, apiResourceList, groupsOf, withRemoteGroups, type RemoteGroup, type ServedGroup } from "./groups.ts";

/** A body that is made once and answered 304 to who has it. */
export interface Document {
  contentType: string;
  body: Buffer;
  etag: string;
}

/** Every document in each encoding that is offered. */
export interface Discovery {
  /** `/api` and `/apis`. `address` is where the client reaches this server, which `/api` tells. */
  root(path: "/api" | "/apis", form: DiscoveryForm, address: string): Document;
  group(name: string, form: DiscoveryForm): Document | undefined;
  /** The core group has an empty name. */
  version(group: string, version: string, form: DiscoveryForm): Document | undefined;
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
const meta = (kind: string, version = "v1"): Kinded => ({ group: "", version, kind });
const aggregatedKind = (version: string): Kinded => ({ group: "apidiscovery.k8s.io", version, kind: "APIGroupDiscoveryList", schema: `io.k8s.api.apidiscovery.${version}.APIGroupDiscoveryList` });

/** Discovery from the cards and what remote servers serve; built anew when either list is another, as it is after a CRD. */
export function createDiscovery(cards: () => readonly AnyResource[], remote?: RemoteGroups): Discovery {
  let documents = new Map<string, Document>();
  let served: readonly AnyResource[] = [], remotes = noRemotes, groups: ServedGroup[] = [];

  function current(): readonly ServedGroup[] {
    const now = cards(), remoteNow = remote?.groups() ?? noRemotes;
    if (now !== served || remoteNow !== remotes || groups.length === 0) {
      served = now;
      remotes = remoteNow;
      groups = remote ? withRemoteGroups(groupsOf(now), remoteNow, remote.priorityOf) : groupsOf(now);
      documents = new Map();
    }
    return groups;
  }

  function cached(path: string, form: DiscoveryForm, make: (groups: readonly ServedGroup[]) => { kind: Kinded; value: object } | undefined): Document | undefined {
    const all = current();
    const key = `${path};${form.encoding.name};${form.aggregated}`;
    const found = documents.get(key);
    if (found) return found;
    const made = make(all);
    if (!made) return undefined;
    const document = documentOf(made.kind, made.value, form);
    documents.set(key, document);
    return document;
  }

  return {
    root(path, form, address) {
      const inPath = (all: readonly ServedGroup[]): ServedGroup[] => all.filter(({ name }) => (name === "") === (path === "/api"));
      const { aggregated: version } = form;
      if (version) return cached(path, form, (all) => ({ kind: aggregatedKind(version), value: aggregated(version, inPath(all)) }))!;
      if (path === "/apis") return cached(path, form, (all) => ({ kind: meta("APIGroupList"), value: { kind: "APIGroupList", apiVersion: "v1", groups: inPath(all).map(apiGroup) } }))!;
      const versions = inPath(current()).flatMap((group) => group.versions.map(({ version: each }) => each));
      return documentOf(meta("APIVersions", ""), { kind: "APIVersions", versions, serverAddressByClientCIDRs: [{ clientCIDR: "0.0.0.0/0", serverAddress: address }] }, form);
    },
    group: (name, form) => cached(`/apis/${name}`, form, (all) => {
      const found = name && all.find((group) => group.name === name);
      return found ? { kind: meta("APIGroup"), value: { kind: "APIGroup", apiVersion: "v1", ...apiGroup(found) } } : undefined;
    }),
    version: (group, version, form) => cached(`/apis/${group}/${version}`, form, (all) => {
      const found = all.find(({ name }) => name === group)?.versions.find((each) => each.version === version);
      return found ? { kind: meta("APIResourceList"), value: apiResourceList(group ? `${group}/${version}` : version, found.cards) } : undefined;
    }),
    groupVersions: () => current().flatMap(({ name, versions }) => versions.map(({ version }) => (name ? `${name}/${version}` : version))),
  };
}

function documentOf(kind: Kinded, value: object, { encoding, aggregated: version }: DiscoveryForm): Document {
  const contentType = version ? `${encoding.mediaType};g=${kind.group};v=${version};as=${kind.kind}` : encoding.mediaType;
  return { contentType, body: encoding.value(kind, value), etag: `"${createHash("sha512").update(JSON.stringify(value)).digest("hex").toUpperCase()}"` };
}
