import { invalidValue, notFoundValue, notSupported, required, type FieldError } from "../../../apimachinery/field-errors.ts";
import type { Frozen } from "../../../apimachinery/meta.ts";
import { compareQuantities } from "../../../apimachinery/quantity.ts";
import { envVarNameErrors } from "../../../apimachinery/validation/values.ts";
import type { EnvFromSource, EnvVar, EnvVarSource, ObjectFieldSelector, ResourceFieldSelector, Volume } from "../../generated/core/v1.ts";
import { validateConfigKey } from "../config-data.ts";
import { dnsLabel, dnsSubdomain, labelName, relativePath, ruled } from "../field-rules.ts";

export function validateEnv(field: string, vars: Frozen<EnvVar[]> | undefined): FieldError[] {
  return (vars ?? []).flatMap(({ name, value, valueFrom }, index) => {
    const at = `${field}[${index}]`;
    const named = name ? variableName(`${at}.name`, name) : [required(`${at}.name`)];
    return valueFrom ? [...named, ...validateValueFrom(`${at}.valueFrom`, valueFrom, value)] : named;
  });
}

const variableName = ruled(envVarNameErrors);

function validateValueFrom(field: string, from: Frozen<EnvVarSource>, value: string | undefined): FieldError[] {
  const errors: FieldError[] = [];
  if (from.fieldRef) errors.push(...validateFieldRef(`${field}.fieldRef`, from.fieldRef, envFields));
  if (from.resourceFieldRef) errors.push(...validateResourceFieldRef(`${field}.resourceFieldRef`, from.resourceFieldRef, false));
  for (const source of ["configMapKeyRef", "secretKeyRef"] as const) {
    if (from[source]) errors.push(...validateKeyRef(`${field}.${source}`, from[source]));
  }
  if (from.fileKeyRef) {
    const { volumeName, path, key } = from.fileKeyRef, at = `${field}.fileKeyRef`;
    errors.push(...(volumeName ? dnsLabel(`${at}.volumeName`, volumeName) : [required(`${at}.volumeName`)]), ...(path ? relativePath(`${at}.path`, path) : [required(`${at}.path`)]), ...(key ? variableName(`${at}.key`, key) : [required(`${at}.key`)]));
  }
  const count = Object.values(from).filter((source) => source !== undefined).length;
  if (count === 0) errors.push(invalidValue(field, "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"));
  else if (value) errors.push(invalidValue(field, "", "may not be specified when `value` is not empty"));
  else if (count > 1) errors.push(invalidValue(field, "", "may not have more than one field specified at a time"));
  return errors;
}

function validateKeyRef(field: string, { name = "", key }: { readonly name?: string; readonly key: string }): FieldError[] {
  return [...dnsSubdomain(`${field}.name`, name), ...(key ? validateConfigKey(`${field}.key`, key) : [required(`${field}.key`)])];
}

/** Files with variables are read from volumes that are there before any container and that no one else fills. */
export function validateEnvFileVolumes(field: string, env: Frozen<EnvVar[]> | undefined, volumes: Frozen<Volume[]> = []): FieldError[] {
  return (env ?? []).flatMap(({ valueFrom }, index) => {
    const name = valueFrom?.fileKeyRef?.volumeName;
    if (name === undefined) return [];
    const volume = volumes.findLast((each) => each.name === name), at = `${field}[${index}].valueFrom.fileKeyRef.volumeName`;
    if (!volume) return [notFoundValue(at, name)];
    return volume.emptyDir ? [] : [invalidValue(at, name, "referenced volume must be of type emptyDir")];
  });
}

export const envFields = ["metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"];
export const volumeFields = ["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];
const knownFields = new Set([...envFields, ...volumeFields]);

/** A field of the pod that its containers may see; labels and annotations also one at a time, by `['key']`. */
export function validateFieldRef(field: string, { fieldPath }: Frozen<ObjectFieldSelector>, supported: readonly string[]): FieldError[] {
  if (!fieldPath) return [required(`${field}.fieldPath`)];
  const [, path, subscript] = /^(.*)\['(.*)'\]$/.exec(fieldPath) ?? [];
  if (path === "metadata.annotations") return labelName(field, subscript!.toLowerCase());
  if (path === "metadata.labels") return labelName(field, subscript!);
  if (path !== undefined && knownFields.has(path)) return [invalidValue(field, path, "does not support subscript")];
  if (!knownFields.has(fieldPath)) return [invalidValue(`${field}.fieldPath`, fieldPath, `error converting fieldPath: field label not supported: ${path ?? fieldPath}`)];
  return supported.includes(fieldPath) ? [] : [notSupported(`${field}.fieldPath`, fieldPath, supported)];
}

const containerAmounts = ["limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage", "requests.memory"];

export function validateResourceFieldRef(field: string, { containerName, resource, divisor = "0" }: Frozen<ResourceFieldSelector>, inVolume: boolean): FieldError[] {
  if (inVolume && !containerName) return [required(`${field}.containerName`)];
  if (!resource) return [required(`${field}.resource`)];
  if (!containerAmounts.includes(resource) && !/^(limits|requests)\.hugepages-/.test(resource)) return [notSupported(`${field}.resource`, resource, containerAmounts)];
  if (compareQuantities(divisor, "0") === 0) return [];
  const [supported, what] = divisorsOf(resource);
  return supported.some((unit) => compareQuantities(unit, divisor) === 0) ? [] : [invalidValue(`${field}.divisor`, resource, `only divisor's values ${supported.join(supported.length === 2 ? " and " : ", ")} are supported with the ${what} resource`)];
}

const byteUnits = ["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"];
const byteResource = (name: string): string => (name === "ephemeral-storage" ? "local ephemeral storage" : name.startsWith("hugepages-") ? "hugepages" : name);
const divisorsOf = (resource: string): [units: string[], what: string] => (resource.endsWith(".cpu") ? [["1m", "1"], "cpu"] : [byteUnits, byteResource(resource.slice(resource.indexOf(".") + 1))]);

export function validateEnvFrom(field: string, sources: Frozen<EnvFromSource[]> | undefined): FieldError[] {
  return (sources ?? []).flatMap(({ prefix, configMapRef, secretRef }, index) => {
    const at = `${field}[${index}]`, errors: FieldError[] = prefix ? variableName(`${at}.prefix`, prefix) : [];
    if (configMapRef) errors.push(...sourceName(`${at}.configMapRef.name`, configMapRef.name));
    if (secretRef) errors.push(...sourceName(`${at}.secretRef.name`, secretRef.name));
    if (!configMapRef && !secretRef) errors.push(invalidValue(field, "", "must specify one of: `configMapRef` or `secretRef`"));
    else if (configMapRef && secretRef) errors.push(invalidValue(field, "", "may not have more than one field specified at a time"));
    return errors;
  });
}

const sourceName = (field: string, name: string | undefined): FieldError[] => (name ? dnsSubdomain(field, name) : [required(field)]);
