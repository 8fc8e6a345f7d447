import type { AnyResource } from "../../apimachinery/resource.ts";
import type { APIGroupDiscovery, APIGroupDiscoveryList, APIResourceDiscovery } from "../../apis/generated/apidiscovery/v2.ts";
import { subresourcesOf } from "../subresources.ts";
import type { ServedGroup } from "./groups.ts";

/** The whole of discovery in one document (KEP-3352), for `/api` or `/apis`. */
export function aggregated(version: "v2" | "v2beta1", groups: readonly ServedGroup[]): APIGroupDiscoveryList {
  return { kind: "APIGroupDiscoveryList", apiVersion: `apidiscovery.k8s.io/${version}`, metadata: {}, items: groups.map(groupDiscovery) };
}

const groupDiscovery = ({ name, versions }: ServedGroup): APIGroupDiscovery => ({
  metadata: name ? { name } : {},
  versions: versions.map(({ version, cards, remote }) => remote ? { version, resources: [...remote.resources], freshness: remote.freshness } : ({
    version, resources: [...cards].sort((a, b) => (a.resource < b.resource ? -1 : 1)).map(resourceDiscovery), freshness: "Current",
  })),
});

const resourceDiscovery = (card: AnyResource): APIResourceDiscovery => {
  /** Kubernetes leaves out what the document says above. */
  const responseKind = ({ group, version, kind }: { group: string; version: string; kind: string }): APIResourceDiscovery["responseKind"] =>
    group === card.group && version === card.version ? { group: "", version: "", kind } : { group, version, kind };
  const subresources = subresourcesOf(card).map(({ name, kind, verbs }) => ({ subresource: name, responseKind: responseKind(kind), verbs: [...verbs].sort() }));
  return {
    resource: card.resource, responseKind: responseKind(card), scope: card.scope, singularResource: card.singular,
    verbs: [...card.verbs].sort(),
    ...(card.shortNames.length ? { shortNames: [...card.shortNames] } : {}), ...(card.categories.length ? { categories: [...card.categories] } : {}),
    ...(subresources.length ? { subresources } : {}),
  };
};
