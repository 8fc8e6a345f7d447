import { isNotFound, StatusError } from "../../apimachinery/status.ts";
import type { KubeObject } from "../../apimachinery/meta.ts";
import type { ExtensionApis, ExtensionGroup, ExtensionRequest } from "../../client/extension-apis.ts";
import type { Content } from "./plan.ts";

type ExtensionResource = ExtensionGroup["resources"][number] & { group: string; version: string };

/** What extension API servers keep in namespaces. */
export interface ExtensionContent {
  /** Group-versions whose servers don't answer: what they keep can't be deleted. */
  undiscovered(): string[];
  /** Asks for all of a namespace to be deleted; returns what is left, and what failed. */
  empty(namespace: string): Promise<{ left: Content[]; failures: string[] }>;
}

const background = { kind: "DeleteOptions", apiVersion: "v1", propagationPolicy: "Background" };

export function extensionContent(apis: ExtensionApis): ExtensionContent {
  /** Each resource once, whatever the versions it is served in. */
  function deletable(): ExtensionResource[] {
    const found = new Map<string, ExtensionResource>();
    for (const { group, version, available, resources } of apis.served()) {
      for (const each of available ? resources : []) {
        const key = `${each.resource}.${group}`;
        if (each.namespaced && each.verbs.includes("delete") && !found.has(key)) found.set(key, { ...each, group, version });
      }
    }
    return [...found.values()];
  }

  async function list(request: Omit<ExtensionRequest, "verb">, { verbs }: ExtensionResource): Promise<KubeObject[]> {
    if (!verbs.includes("list")) return [];
    return ((await apis.request({ ...request, verb: "list" })) as { items?: KubeObject[] }).items ?? [];
  }

  async function emptyOne(namespace: string, resource: ExtensionResource): Promise<KubeObject[]> {
    const request = { group: resource.group, version: resource.version, resource: resource.resource, namespace };
    const all = await list(request, resource);
    if (all.length === 0 && resource.verbs.includes("list")) return [];
    if (resource.verbs.includes("deletecollection")) await apis.request({ ...request, verb: "deletecollection", body: background });
    else for (const { metadata } of all) await apis.request({ ...request, verb: "delete", name: metadata.name!, body: background }).catch(unlessGone);
    return list(request, resource);
  }

  return {
    undiscovered: () => apis.served().filter(({ available }) => !available).map(({ group, version }) => `${group}/${version}`),
    async empty(namespace) {
      const left: Content[] = [], failures: string[] = [];
      for (const resource of deletable()) {
        try {
          left.push({ group: resource.group, resource: resource.resource, objects: await emptyOne(namespace, resource) });
        } catch (error) {
          // A server that says it doesn't do this keeps nothing there.
          if (!(error instanceof StatusError && (error.code === 404 || error.code === 405))) failures.push((error as Error).message);
        }
      }
      return { left, failures };
    },
  };
}

function unlessGone(error: unknown): void {
  if (!isNotFound(error)) throw error;
}
