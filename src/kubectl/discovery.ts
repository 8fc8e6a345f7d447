import type { Api } from "./api.ts";
import { KubectlError } from "./errors.ts";

/** A kind that the server serves, in one version. */
export interface Resource {
  group: string;
  version: string;
  resource: string;
  singular: string;
  kind: string;
  namespaced: boolean;
  shortNames: readonly string[];
  categories: readonly string[];
  verbs: readonly string[];
  /** Names below an object: status, scale, log… */
  subresources: readonly string[];
}

interface Discovered {
  items: { metadata: { name?: string }; versions: { version: string; resources?: { resource: string; responseKind?: { kind: string }; scope: string; singularResource?: string; shortNames?: string[]; categories?: string[]; verbs: string[]; subresources?: { subresource: string }[] }[] }[] }[];
}

const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/** What the server serves, asked once. The core group and preferred versions come first. */
export class Discovery {
  #resources: Promise<readonly Resource[]> | undefined;

  constructor(private readonly api: Api) {}

  resources(): Promise<readonly Resource[]> {
    return this.#resources ??= this.#load();
  }

  async #load(): Promise<readonly Resource[]> {
    const [core, groups] = await Promise.all(["/api", "/apis"].map((path) => this.api.json<Discovered>(path, { accept })));
    return [...core!.items, ...groups!.items].flatMap(({ metadata: { name: group = "" }, versions }) => versions.flatMap(({ version, resources = [] }) => resources.map((each) => ({
      group, version, resource: each.resource, singular: each.singularResource || each.responseKind?.kind.toLowerCase() || each.resource, kind: each.responseKind?.kind ?? "", namespaced: each.scope === "Namespaced",
      shortNames: each.shortNames ?? [], categories: each.categories ?? [], verbs: each.verbs, subresources: (each.subresources ?? []).map(({ subresource }) => subresource),
    }))));
  }

  /** Each type once, in the version that the server prefers. */
  async preferred(): Promise<Resource[]> {
    const resources = await this.resources();
    return resources.filter((each, index) => resources.findIndex(({ group, resource }) => group === each.group && resource === each.resource) === index);
  }

  /** What a user calls `pods`, `po`, `deployment.apps`, `deployments.v1.apps`. Throws when the server has no such type. */
  async find(name: string): Promise<Resource> {
    const found = match(await this.resources(), name);
    if (!found) throw noSuchType(name);
    return found;
  }

  /** A type, or all that a category such as `all` stands for. */
  async findAll(name: string): Promise<Resource[]> {
    const resources = await this.resources();
    const direct = match(resources, name);
    if (direct) return [direct];
    const members = resources.filter(({ categories, verbs }) => categories.includes(name) && verbs.includes("list"));
    if (members.length === 0) throw noSuchType(name);
    return members.filter((member, index) => members.findIndex((other) => other.resource === member.resource && other.group === member.group) === index);
  }

  /** The type of a manifest's object. */
  async ofKind(apiVersion: string, kind: string): Promise<Resource> {
    const { group, version } = parseApiVersion(apiVersion);
    const found = (await this.resources()).find((each) => each.group === group && each.version === version && each.kind === kind);
    if (!found) throw new KubectlError(`no matches for kind ${JSON.stringify(kind)} in version ${JSON.stringify(apiVersion)}\nensure CRDs are installed first`);
    return found;
  }
}

export function parseApiVersion(apiVersion: string): { group: string; version: string } {
  const slash = apiVersion.indexOf("/");
  return slash < 0 ? { group: "", version: apiVersion } : { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) };
}

export const apiVersionOf = ({ group, version }: Pick<Resource, "group" | "version">): string => (group ? `${group}/${version}` : version);

/** Source: k8s.io/kubectl/pkg/cmd/util checkErr, NoResourceMatchError. */
function noSuchType(name: string): KubectlError {
  const [resource = "", ...group] = name.split(".");
  return new KubectlError(`the server doesn't have a resource type ${JSON.stringify(resource)}${group.length ? ` in group ${JSON.stringify(group.join("."))}` : ""}`);
}

function match(resources: readonly Resource[], asked: string): Resource | undefined {
  const name = asked.toLowerCase();
  const [first = "", ...rest] = name.split(".");
  const group = rest.join(".");
  const versioned = rest.length > 1 ? resources.find((each) => isCalled(each, first) && each.version === rest[0] && each.group === rest.slice(1).join(".")) : undefined;
  if (versioned) return versioned;
  const candidates = resources.filter((each) => isCalled(each, first) && (!group || each.group === group || each.group.startsWith(`${group}.`)));
  return candidates[0] ?? (group ? undefined : resources.find(({ shortNames }) => shortNames.includes(name)));
}

const isCalled = ({ resource, singular, shortNames, kind }: Resource, name: string): boolean =>
  resource === name || singular === name || kind.toLowerCase() === name || shortNames.includes(name);

/** The URL of a collection, of an object in it, of a subresource of that. */
export function pathOf(resource: Pick<Resource, "group" | "version" | "resource" | "namespaced">, namespace: string | undefined, name?: string, subresource?: string): string {
  const root = resource.group ? `/apis/${resource.group}/${resource.version}` : `/api/${resource.version}`;
  const place = resource.namespaced && namespace ? `${root}/namespaces/${encodeURIComponent(namespace)}` : root;
  return `${place}/${resource.resource}${name ? `/${encodeURIComponent(name)}` : ""}${subresource ? `/${subresource}` : ""}`;
}
