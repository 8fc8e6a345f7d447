import { type Discovery, pathOf, type Resource } from "./discovery.ts";
import { KubectlError } from "./errors.ts";
import { bool, text } from "./flags.ts";
import type { Session } from "./session.ts";

/** What arguments such as `pods web-1 web-2`, `deploy/web svc/web` or `pods,services` name: a type, and one object of it or all. */
export interface Target {
  resource: Resource;
  /** Absent for all of the type. */
  name?: string;
}

/** Flags of commands that work on many objects. */
export const selectionFlags = {
  allNamespaces: bool("If present, the requested objects of all namespaces", { short: "A" }),
  selector: text("Selector (label query) to filter on", { short: "l" }),
  fieldSelector: text("Selector (field query) to filter on"),
} as const;

export interface Selection {
  allNamespaces?: boolean;
  selector?: string;
  fieldSelector?: string;
}

/** Reads the type and name arguments of a command. */
export async function targetsOf(discovery: Discovery, args: readonly string[], nothing = "You must provide one or more resources by argument or filename.\nExample resource specifications include:\n   '-f rsrc.yaml'\n   '--filename=rsrc.json'\n   '<resource> <name>'\n   '<resource>'"): Promise<Target[]> {
  if (args.length === 0) throw new KubectlError(nothing);
  if (args.some((arg) => arg.includes("/"))) return slashed(discovery, args);
  const [types = "", ...names] = args;
  const resources = (await Promise.all(types.split(",").map((type) => discovery.findAll(type)))).flat();
  if (names.length === 0) return resources.map((resource) => ({ resource }));
  return resources.flatMap((resource) => [...new Set(names)].map((name) => ({ resource, name })));
}

async function slashed(discovery: Discovery, args: readonly string[]): Promise<Target[]> {
  return Promise.all(args.map(async (arg) => {
    const [type = "", name = "", ...more] = arg.split("/");
    if (!arg.includes("/")) throw new KubectlError("there is no need to specify a resource type as a separate argument when passing arguments in resource/name form (e.g. 'kubectl get resource/<resource_name>' instead of 'kubectl get resource resource/<resource_name>'");
    if (!type || !name || more.length) throw new KubectlError("arguments in resource/name form may not have more than one slash");
    return { resource: await discovery.find(type), name };
  }));
}

/** The path of a target's objects, in the session's namespace or in all. */
export function pathOfTarget({ resource, name }: Target, { namespace }: Pick<Session, "namespace">, { allNamespaces }: Selection = {}): string {
  if (name && allNamespaces && resource.namespaced) throw new KubectlError("a resource cannot be retrieved by name across all namespaces");
  return pathOf(resource, allNamespaces ? undefined : namespace, name);
}
