import { duplicate, forbiddenField, invalidValue, notSupported, required, type FieldError } from "../../../apimachinery/field-errors.ts";
import type { Frozen } from "../../../apimachinery/meta.ts";
import { compareQuantities } from "../../../apimachinery/quantity.ts";
import type { DownwardAPIVolumeFile, HostPathVolumeSource, KeyToPath, PersistentVolumeClaimTemplate, ProjectedVolumeSource, Volume, VolumeProjection } from "../../generated/core/v1.ts";
import { dnsLabel, dnsSubdomain, noBacksteps, oneOf, relativePath } from "../field-rules.ts";
import { validateTemplateMetadata } from "../template-metadata.ts";
import { validateClaimSpec } from "../volume/claim-validation.ts";
import { csiDriverName } from "../volume/csi-driver-name.ts";
import { volumeSourceChecks, type SourceCheck } from "../volume/network-sources.ts";
import { validateFieldRef, validateResourceFieldRef, volumeFields } from "./validation-env.ts";

/** All errors of the volumes, and the names of those without, which containers may mount. */
export function validateVolumes(field: string, volumes: Frozen<Volume[]> | undefined): { errors: FieldError[]; names: Set<string> } {
  const names = new Set<string>(), errors: FieldError[] = [];
  for (const [index, volume] of (volumes ?? []).entries()) {
    const at = `${field}[${index}]`;
    const own = [...validateSource(at, volume), ...(volume.name ? dnsLabel(`${at}.name`, volume.name) : [required(`${at}.name`)])];
    if (names.has(volume.name)) own.push(duplicate(`${at}.name`, volume.name));
    if (own.length === 0) names.add(volume.name);
    errors.push(...own);
  }
  return { errors, names };
}

function validateSource(field: string, volume: Frozen<Volume>): FieldError[] {
  const sources = Object.keys(volume).filter((key) => key !== "name" && volume[key as keyof Volume] !== undefined);
  if (sources.length === 0) return [required(field, "must specify a volume type")];
  const [first, ...others] = sources as (keyof Volume)[];
  return [...checkSource(`${field}.${first}`, first!, volume), ...others.map((name) => forbiddenField(`${field}.${name}`, "may not specify more than 1 volume type"))];
}

function checkSource(field: string, name: keyof Volume, volume: Frozen<Volume>): FieldError[] {
  const check = sourceChecks[name];
  if (check) return check(field, volume);
  const network = (volumeSourceChecks as Record<string, SourceCheck<unknown>>)[name];
  return network ? network(field, volume[name], {}) : [];
}

/** What is checked of each kind of volume. */
const sourceChecks: Partial<Record<keyof Volume, (field: string, volume: Frozen<Volume>) => FieldError[]>> = {
  emptyDir: (field, { emptyDir }) => (emptyDir?.sizeLimit !== undefined && compareQuantities(emptyDir.sizeLimit, "0") < 0 ? [forbiddenField(`${field}.sizeLimit`, "SizeLimit field must be a valid resource quantity")] : []),
  hostPath: (field, { hostPath }) => validateHostPath(field, hostPath!),
  secret: (field, { secret }) => [...(secret!.secretName ? [] : [required(`${field}.secretName`)]), ...fileMode(`${field}.defaultMode`, secret!.defaultMode), ...keysToPaths(`${field}.items`, secret!.items)],
  configMap: (field, { configMap }) => [...(configMap!.name ? [] : [required(`${field}.name`)]), ...fileMode(`${field}.defaultMode`, configMap!.defaultMode), ...keysToPaths(`${field}.items`, configMap!.items)],
  downwardAPI: (field, { downwardAPI }) => [...fileMode(`${field}.defaultMode`, downwardAPI!.defaultMode), ...(downwardAPI!.items ?? []).flatMap((file) => validateDownwardFile(field, file))],
  projected: (field, { projected }) => [...fileMode(`${field}.defaultMode`, projected!.defaultMode), ...validateProjections(field, projected!)],
  persistentVolumeClaim: (field, { persistentVolumeClaim }) => (persistentVolumeClaim!.claimName ? [] : [required(`${field}.claimName`)]),
  csi: (field, { csi }) => {
    const ref = csi!.nodePublishSecretRef;
    // Kubernetes leaves the reference's own name out of the second.
    return [...csiDriverName(`${field}.driver`, csi!.driver), ...(ref ? (ref.name ? dnsSubdomain(`${field}.name`, ref.name) : [required(`${field}.nodePublishSecretRef.name`)]) : [])];
  },
  gitRepo: (field, { gitRepo }) => [...(gitRepo!.repository ? [] : [required(`${field}.repository`)]), ...(gitRepo!.directory ? relativePath(`${field}.directory`, gitRepo!.directory) : [])],
  ephemeral: (field, { ephemeral }) => (ephemeral!.volumeClaimTemplate ? validateClaimTemplate(`${field}.volumeClaimTemplate`, ephemeral!.volumeClaimTemplate) : [required(`${field}.volumeClaimTemplate`)]),
  image: (field, { image }) => [...(image!.reference ? [] : [required(`${field}.reference`)]), ...oneOf(`${field}.pullPolicy`, image!.pullPolicy, ["Always", "IfNotPresent", "Never"])],
};

function validateClaimTemplate(field: string, { metadata, spec }: Frozen<PersistentVolumeClaimTemplate>): FieldError[] {
  return [...validateTemplateMetadata(`${field}.metadata`, metadata), ...validateClaimSpec(`${field}.spec`, spec ?? {})];
}

const hostPathTypes = ["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];

export function validateHostPath(field: string, { path, type }: Frozen<HostPathVolumeSource>): FieldError[] {
  if (!path) return [required(`${field}.path`)];
  return [...noBacksteps(`${field}.path`, path), ...(type === undefined || hostPathTypes.includes(type) ? [] : [notSupported(`${field}.type`, type, hostPathTypes)])];
}

function fileMode(field: string, mode: number | undefined): FieldError[] {
  return mode !== undefined && (mode < 0 || mode > 0o777) ? [invalidValue(field, mode, "must be a number between 0 and 0777 (octal), both inclusive")] : [];
}

/** Names beginning with two dots are the kubelet's own, for swapping contents atomically. */
function ownPath(field: string, path: string): FieldError[] {
  const backsteps = relativePath(field, path);
  return path.startsWith("..") && !path.startsWith("../") && path !== ".." ? [...backsteps, invalidValue(field, path, "must not start with '..'")] : backsteps;
}

function keysToPaths(field: string, items: Frozen<KeyToPath[]> | undefined): FieldError[] {
  return (items ?? []).flatMap(({ key, path, mode }, index) => {
    const at = `${field}[${index}]`;
    return [...(key ? [] : [required(`${at}.key`)]), ...(path ? ownPath(`${at}.path`, path) : [required(`${at}.path`)]), ...fileMode(`${at}.mode`, mode)];
  });
}

function validateDownwardFile(field: string, { path, fieldRef, resourceFieldRef, mode }: Frozen<DownwardAPIVolumeFile>): FieldError[] {
  const errors = path ? ownPath(`${field}.path`, path) : [required(`${field}.path`)];
  if (fieldRef) {
    errors.push(...validateFieldRef(`${field}.fieldRef`, fieldRef, volumeFields));
    if (resourceFieldRef) errors.push(invalidValue(field, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously"));
  } else if (resourceFieldRef) {
    errors.push(...validateResourceFieldRef(`${field}.resourceFieldRef`, resourceFieldRef, true));
  } else {
    errors.push(required(field, "one of fieldRef and resourceFieldRef is required"));
  }
  return [...errors, ...fileMode(`${field}.mode`, mode)];
}

function validateProjections(field: string, { sources }: Frozen<ProjectedVolumeSource>): FieldError[] {
  const paths = new Set<string>(), errors: FieldError[] = [];
  const claim = (path: string | undefined, shown: string | undefined): void => {
    if (!path) return;
    if (paths.has(path)) errors.push(invalidValue(field, shown, "conflicting duplicate paths"));
    paths.add(path);
  };
  for (const [index, source] of (sources ?? []).entries()) {
    const at = `${field}.sources[${index}]`;
    errors.push(...validateProjection(field, at, source));
    for (const name of ["secret", "configMap"] as const) for (const { path } of source[name]?.items ?? []) claim(path, source[name]!.name);
    for (const { path } of source.downwardAPI?.items ?? []) claim(path, path);
    claim(source.clusterTrustBundle?.path, source.clusterTrustBundle?.path);
    if (Object.values(source).filter((one) => one !== undefined).length > 1) errors.push(forbiddenField(at, "may not specify more than 1 volume type per source"));
  }
  return errors;
}

function validateProjection(volume: string, field: string, { secret, configMap, downwardAPI, serviceAccountToken, clusterTrustBundle }: Frozen<VolumeProjection>): FieldError[] {
  const errors: FieldError[] = [];
  for (const [name, source] of [["secret", secret], ["configMap", configMap]] as const) {
    if (source) errors.push(...(source.name ? [] : [required(`${field}.${name}.name`)]), ...keysToPaths(`${field}.${name}.items`, source.items));
  }
  for (const file of downwardAPI?.items ?? []) errors.push(...validateDownwardFile(`${field}.downwardAPI`, file));
  if (serviceAccountToken) {
    const { expirationSeconds = 0, path } = serviceAccountToken, at = `${field}.serviceAccountToken.expirationSeconds`;
    if (expirationSeconds < 600) errors.push(invalidValue(at, expirationSeconds, "may not specify a duration less than 10 minutes"));
    if (expirationSeconds > 2 ** 32) errors.push(invalidValue(at, expirationSeconds, "may not specify a duration larger than 2^32 seconds"));
    errors.push(...(path ? ownPath(`${volume}.path`, path) : [required(`${volume}.path`)]));
  }
  if (clusterTrustBundle) {
    const { name, signerName, path } = clusterTrustBundle, at = `${field}.clusterTrustBundle`;
    if (name !== undefined && signerName !== undefined) errors.push(invalidValue(at, clusterTrustBundle, "only one of name and signerName may be used"));
    else if (name === undefined && signerName === undefined) errors.push(required(at, "either name or signerName must be specified"));
    errors.push(...(path ? ownPath(`${at}.path`, path) : [required(`${at}.path`)]));
  }
  return errors;
}
