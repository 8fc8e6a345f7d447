import { duplicate, invalidValue, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { ageColumn, defineResource, nameColumn } from "../../apimachinery/resource.ts";
import { dns1035LabelErrors, dns1123SubdomainErrors, nameIsDns1123Subdomain, qualifiedNameErrors, regexError } from "../../apimachinery/validation/names.ts";
import type { ServerStorageVersion, StorageVersion, StorageVersionCondition, StorageVersionStatus } from "../generated/apiserverinternal/v1alpha1.ts";
import { keepMetadata } from "../status-metadata.ts";
import { commonEncodingVersion } from "./storageversion-status.ts";
export type { StorageVersion } from "../generated/apiserverinternal/v1alpha1.ts";

/** In which version each API server stores a resource. Served with the feature StorageVersionAPI. */
export const storageversions = defineResource<StorageVersion>({
  group: "internal.apiserver.k8s.io", version: "v1alpha1", kind: "StorageVersion", resource: "storageversions", scope: "Cluster",
  subresources: { status: true },
  schema: "io.k8s.api.apiserverinternal.v1alpha1.StorageVersion",
  default(version) {
    version.spec ??= {};
    version.status ??= {};
  },
  strategy: {
    allowUnconditionalUpdate: false,
    resetFields: { "": [["status"]], status: [["metadata"], ["spec"]] },
    prepareForCreate(version) {
      delete version.metadata.generation;
      version.status = {};
    },
    prepareForStatusUpdate: keepMetadata,
    validateStatusUpdate: ({ status }) => validateStatus(status),
  },
  columns: [
    nameColumn(),
    { name: "CommonEncodingVersion", type: "string", description: "commonEncodingVersion is set to an encoding storage version if all API server instances share that same version. If they don't share one storage version, this field is left empty. API servers should finish updating its storageVersionStatus entry before serving write operations, so that this field will be in sync with the reality.", value: ({ status }) => status?.commonEncodingVersion ?? "<unset>" },
    { name: "StorageVersions", type: "string", description: "storageVersions lists the reported versions per API server instance.", value: ({ status }) => listed(status?.storageVersions ?? []) },
    ageColumn(),
  ],
  validateName: nameErrors,
  example: (name = "skiff.examples") => ({ apiVersion: "internal.apiserver.k8s.io/v1alpha1", kind: "StorageVersion", metadata: { name: name.includes(".") ? name : `skiff.${name}` }, spec: {}, status: {} }),
});

const shownServers = 3;

function listed(versions: Frozen<ServerStorageVersion[]>): string {
  const shown = versions.slice(0, shownServers).map(({ apiServerID, encodingVersion }) => `${apiServerID ?? ""}=${encodingVersion ?? ""}`).join(",");
  return versions.length > shownServers ? `${shown} + ${versions.length - shownServers} more...` : shown || "<unset>";
}

function nameErrors(name: string): string[] {
  const dot = name.lastIndexOf(".");
  if (dot < 0) return ["name must be in the form of <group>.<resource>"];
  return [...dns1123SubdomainErrors(name.slice(0, dot)).map((error) => `the group segment ${error}`), ...dns1035LabelErrors(name.slice(dot + 1)).map((error) => `the resource segment ${error}`)];
}

function validateStatus({ storageVersions = [], commonEncodingVersion: common, conditions = [] }: Frozen<StorageVersionStatus> = {}): FieldError[] {
  const servers = storageVersions.map(({ apiServerID }) => apiServerID);
  const errors = storageVersions.flatMap((version, index) => {
    const field = `status.storageVersions[${index}]`;
    return [...(servers.indexOf(version.apiServerID) < index ? [duplicate(`${field}.apiServerID`, version.apiServerID)] : []), ...validateServer(version, field)];
  });
  const actual = commonEncodingVersion(storageVersions), field = "status.commonEncodingVersion";
  if (actual === undefined && common !== undefined) errors.push(invalidValue(field, common, "should be nil if servers do not agree on the same encoding version, or if there is no server reporting the supported versions yet"));
  if (actual !== undefined && common === undefined) errors.push(invalidValue(field, null, `the common encoding version is ${actual}`));
  if (actual !== undefined && common !== undefined && actual !== common) errors.push(invalidValue(field, common, `the actual common encoding version is ${actual}`));
  return [...errors, ...validateConditions(conditions)];
}

function validateServer({ apiServerID = "", encodingVersion = "", decodableVersions = [], servedVersions = [] }: Frozen<ServerStorageVersion>, field: string): FieldError[] {
  const errors = nameIsDns1123Subdomain(apiServerID, false).map((error) => invalidValue(`${field}.apiServerID`, apiServerID, error));
  const check = (at: string, version: string): void => {
    const found = apiVersionErrors(version);
    if (found.length > 0) errors.push(invalidValue(at, version, found.join(",")));
  };
  check(`${field}.encodingVersion`, encodingVersion);
  decodableVersions.forEach((version, index) => check(`${field}.decodableVersions[${index}]`, version));
  if (!decodableVersions.includes(encodingVersion)) errors.push(invalidValue(`${field}.decodableVersions`, decodableVersions, `decodableVersions must include encodingVersion ${encodingVersion}`));
  servedVersions.forEach((version, index) => {
    const at = `${field}.servedVersions[${index}]`;
    check(at, version);
    if (!decodableVersions.includes(version)) errors.push(invalidValue(at, version, `individual served version : ${version} must be included in decodableVersions : [${decodableVersions.join(" ")}]`));
  });
  return errors;
}

function apiVersionErrors(apiVersion: string): string[] {
  const parts = apiVersion.split("/"), version = parts.at(-1)!;
  if (parts.length > 2) {
    return [`an apiVersion is ${regexError("a DNS-1035 label, which must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character", "[a-z]([-a-z0-9]*[a-z0-9])?", "my-name", "abc-123")} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyVersion')`];
  }
  const part = (name: string, text: string, rule: (text: string) => string[]): string[] => (text === "" ? ["must be non-empty"] : rule(text)).map((error) => `${name} part: ${error}`);
  return [...(parts.length === 2 ? part("group", parts[0]!, dns1123SubdomainErrors) : []), ...part("version", version, dns1035LabelErrors)];
}

/** Where Kubernetes says that a condition is wrong: at an index of the status itself. */
function validateConditions(conditions: Frozen<StorageVersionCondition[]>): FieldError[] {
  const types = conditions.map(({ type }) => type);
  return conditions.flatMap(({ type, status, reason, message }, index) => {
    const field = `status[${index}]`, later = types.lastIndexOf(type, index - 1);
    return [
      ...(index > 0 && later >= 0 ? [invalidValue(`${field}.type`, type, `the type of the condition is not unique, it also appears in conditions[${later}]`)] : []),
      ...qualifiedNameErrors(type).map((error) => invalidValue(`${field}.type`, type, error)),
      ...qualifiedNameErrors(status).map((error) => invalidValue(`${field}.status`, status, error)),
      ...(reason ? [] : [required(`${field}.reason`)]),
      ...(message ? [] : [required(`${field}.message`)]),
    ];
  });
}
