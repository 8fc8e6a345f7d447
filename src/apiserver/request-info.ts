import { parseFieldSelector, requiredValue } from "../apimachinery/selectors/fields.ts";

/** What a request is about, from its method and URL alone. Source: k8s.io/apiserver/pkg/endpoints/request RequestInfoFactory. */
export interface RequestInfo {
  isResource: boolean;
  /** A Kubernetes verb for resources, the lower-case method for other paths. */
  verb: string;
  path: string;
  apiPrefix: string;
  group: string;
  version: string;
  namespace: string;
  resource: string;
  subresource: string;
  /** From the path, or for collections from a `metadata.name=` field selector, for the authorizer's benefit. */
  name: string;
  /** Path segments from the resource on. */
  parts: readonly string[];
}

const specialVerbs = new Set(["proxy", "watch"]);
/** Segments behind a namespace that belong to it and are not a resource inside it. */
const namespaceSubresources = new Set(["status", "finalize"]);
const methodVerbs: Readonly<Record<string, string>> = { POST: "create", GET: "get", HEAD: "get", PUT: "update", PATCH: "patch", DELETE: "delete" };

/** `path` is percent-decoded. Throws a 400 StatusError for a field selector that can't be read. */
export function requestInfo(method: string, path: string, query: URLSearchParams): RequestInfo {
  const info: RequestInfo = {
    isResource: false, verb: method.toLowerCase(), path, apiPrefix: "", group: "", version: "", namespace: "", resource: "", subresource: "", name: "", parts: [],
  };
  let parts = path.split("/").filter((part) => part !== "");
  const grouped = parts[0] === "apis";
  if (parts.length < 3 || (!grouped && parts[0] !== "api")) return info;
  info.apiPrefix = parts[0]!;
  if (grouped) {
    if (parts.length < 4) return info;
    info.group = parts[1]!;
  }
  info.version = parts[grouped ? 2 : 1]!;
  parts = parts.slice(grouped ? 3 : 2);
  info.isResource = true;
  parts = readVerb(info, method, parts);
  parts = readNamespace(info, parts);
  info.parts = parts;
  info.resource = parts[0] ?? "";
  info.name = parts[1] ?? "";
  info.subresource = info.verb === "proxy" ? "" : parts[2] ?? "";
  if (info.name === "") readCollectionVerb(info, query);
  return info;
}

/** Takes the verb from the method, or from the old `/watch/` and `/proxy/` prefixes. */
function readVerb(info: RequestInfo, method: string, parts: string[]): string[] {
  if (specialVerbs.has(parts[0]!) && parts.length > 1) {
    info.verb = parts[0]!;
    return parts.slice(1);
  }
  info.verb = methodVerbs[method] ?? "";
  return parts;
}

function readNamespace(info: RequestInfo, parts: string[]): string[] {
  if (parts[0] !== "namespaces" || parts.length < 2) return parts;
  info.namespace = parts[1]!;
  return parts.length > 2 && !namespaceSubresources.has(parts[2]!) ? parts.slice(2) : parts;
}

function readCollectionVerb(info: RequestInfo, query: URLSearchParams): void {
  if (info.verb === "delete") info.verb = "deletecollection";
  else if (info.verb === "get") info.verb = isTrue(query.get("watch")) ? "watch" : "list";
  if (info.verb === "create" || info.verb === "") return;
  const selector = query.get("fieldSelector");
  if (selector) info.name = requiredValue(parseFieldSelector(selector), "metadata.name") ?? "";
}

/** How Kubernetes reads a boolean query parameter: present and not false. */
export const isTrue = (value: string | null): boolean => value !== null && value !== "false" && value !== "0";
