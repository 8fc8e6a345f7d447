import type { Frozen } from "../../apimachinery/meta.ts";
import { isObject } from "../../apimachinery/own.ts";
import type { APIResourceDiscovery } from "../../apis/generated/apidiscovery/v2.ts";
import type { APIResource, GroupVersionKind } from "../../apis/generated/meta/v1.ts";
import { compareKubeVersions } from "../../apimachinery/version-priority.ts";
import type { RemoteGroup } from "../discovery/groups.ts";
import { apiServiceName, isAvailable, type ApiService } from "./api-service.ts";

/** What a server's discovery document of one group-version says, as aggregated discovery has it; throws an Error for anything else. */
export function resourcesOf(document: unknown, group: string, version: string): APIResourceDiscovery[] {
  const { kind, resources } = (isObject(document) ? document : {}) as { kind?: unknown; resources?: unknown };
  if (kind !== "APIResourceList" || !Array.isArray(resources)) throw new Error(`the document at /apis/${group}/${version} is not an APIResourceList`);
  const found = new Map<string, APIResourceDiscovery>();
  const responseKind = (each: APIResource): GroupVersionKind => ({ group: each.group || group, version: each.version || version, kind: each.kind });
  for (const each of (resources as APIResource[]).toSorted((a, b) => Number(a.name.includes("/")) - Number(b.name.includes("/")))) {
    const [name = "", subresource] = each.name.split("/");
    if (subresource === undefined) {
      found.set(name, {
        resource: name, responseKind: responseKind(each), scope: each.namespaced ? "Namespaced" : "Cluster", singularResource: each.singularName, verbs: [...each.verbs],
        ...(each.shortNames?.length ? { shortNames: each.shortNames } : {}), ...(each.categories?.length ? { categories: each.categories } : {}),
      });
    } else (found.get(name) ?? orphan(found, name, each)).subresources = [...found.get(name)!.subresources ?? [], { subresource, responseKind: responseKind(each), verbs: [...each.verbs] }];
  }
  return [...found.values()];
}

/** A subresource of something that can't be read itself. */
function orphan(found: Map<string, APIResourceDiscovery>, resource: string, { namespaced }: APIResource): APIResourceDiscovery {
  const made: APIResourceDiscovery = { resource, scope: namespaced ? "Namespaced" : "Cluster", singularResource: "", verbs: [] };
  found.set(resource, made);
  return made;
}

/** Groups served elsewhere, ordered as APIServices ask: by the group's highest priority, versions by theirs. `known`: what servers told, by APIService. */
export function remoteGroups(services: readonly Frozen<ApiService>[], known: ReadonlyMap<string, readonly APIResourceDiscovery[]>): RemoteGroup[] {
  const byGroup = new Map<string, Frozen<ApiService>[]>();
  for (const service of services) {
    const { group = "", service: reference } = service.spec;
    if (reference) byGroup.set(group, [...byGroup.get(group) ?? [], service]);
  }
  const groups = [...byGroup].map(([name, list]): RemoteGroup => ({
    name, priority: Math.max(...list.map(({ spec }) => spec.groupPriorityMinimum)),
    versions: list.toSorted((a, b) => b.spec.versionPriority - a.spec.versionPriority || compareKubeVersions(a.spec.version ?? "", b.spec.version ?? "")).map((service) => ({
      version: service.spec.version ?? "",
      remote: { resources: known.get(apiServiceName(name, service.spec.version ?? "")) ?? [], freshness: isAvailable(service) ? "Current" : "Stale" },
    })),
  }));
  return groups.sort((a, b) => b.priority - a.priority || (a.name < b.name ? -1 : 1));
}
