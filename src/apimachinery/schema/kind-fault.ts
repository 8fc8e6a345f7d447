import { hasType } from "./schema.ts";

interface Expected {
  group: string;
  version: string;
  kind: string;
}

const packageOf = (group: string): string => group.split(".", 1)[0] || "core";

/**
 * Why an object that says it is of this kind can't be taken for the one expected, in the words of Kubernetes' scheme. Undefined for the kind
 * itself, and for another version of it, which can be converted.
 */
export function kindFault(given: { kind?: unknown; apiVersion?: unknown }, { group, version, kind }: Expected): string | undefined {
  const apiVersion = given.apiVersion || (group ? `${group}/${version}` : version), of = given.kind || kind;
  if (typeof apiVersion !== "string") return unreadable("apiVersion", apiVersion);
  if (typeof of !== "string") return unreadable("kind", of);
  const slash = apiVersion.indexOf("/");
  const itsGroup = slash < 0 ? "" : apiVersion.slice(0, slash), itsVersion = apiVersion.slice(slash + 1);
  if (itsGroup === group && of === kind && (itsVersion === version || isKnown(itsGroup, itsVersion, of))) return undefined;
  if (!isKnown(itsGroup, itsVersion, of)) return `no kind ${JSON.stringify(of)} is registered for version ${JSON.stringify(apiVersion)} in scheme "pkg/runtime/scheme.go:111"`;
  return `converting (${itsVersion}.${of}) to (${packageOf(group)}.${kind}): unknown conversion`;
}

const isKnown = (group: string, version: string, kind: string): boolean => hasType(`io.k8s.api.${packageOf(group)}.${version}.${kind}`);

const unreadable = (field: string, value: unknown): string => {
  const type = Array.isArray(value) ? "array" : typeof value === "boolean" ? "bool" : typeof value;
  return `couldn't get version/kind; json parse error: json: cannot unmarshal ${type} into Go struct field .${field} of type string`;
};
