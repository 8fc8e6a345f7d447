import { invalidValue, notSupported, required, type FieldError } from "../../../apimachinery/field-errors.ts";
import type { Frozen } from "../../../apimachinery/meta.ts";
import type { PersistentVolumeSpec, Volume } from "../../generated/core/v1.ts";
import { dnsLabel, within } from "../field-rules.ts";

/** Volumes of storage systems outside of the node, in pods and in PersistentVolumes: defaults and what can be checked without the system. */

/** Either has these sources; some differ in a reference that only a PersistentVolume can make. */
type AnySource = Volume & PersistentVolumeSpec;

export function defaultNetworkVolume(volume: Pick<Volume, "iscsi" | "rbd" | "azureDisk" | "scaleIO"> | Pick<PersistentVolumeSpec, "iscsi" | "rbd" | "azureDisk" | "scaleIO">): void {
  const { iscsi, rbd, azureDisk, scaleIO } = volume;
  if (iscsi) iscsi.iscsiInterface ||= "default";
  if (rbd) {
    rbd.pool ||= "rbd";
    rbd.user ||= "admin";
    rbd.keyring ||= "/etc/ceph/keyring";
  }
  if (azureDisk) {
    azureDisk.cachingMode ??= "ReadWrite";
    azureDisk.fsType ??= "ext4";
    azureDisk.readOnly ??= false;
    azureDisk.kind ??= "Shared";
  }
  if (scaleIO) {
    scaleIO.storageMode ||= "ThinProvisioned";
    scaleIO.fsType ||= "xfs";
  }
}

interface Surroundings {
  /** Of the PersistentVolume; absent in pods. */
  volumeName?: string;
}
export type SourceCheck<T> = (field: string, source: Frozen<T>, around: Surroundings) => FieldError[];

/** Those of `names` that are missing. */
const needed = <T extends object>(field: string, source: T, ...names: (keyof T & string)[]): FieldError[] =>
  names.filter((name) => !source[name] || (Array.isArray(source[name]) && (source[name] as unknown[]).length === 0)).map((name) => required(`${field}.${name}`));

const partition = (field: string, number = 0): FieldError[] => within(`${field}.partition`, number, 0, 255);

const secretWithNamespace = (field: string, ref: { readonly name?: string; readonly namespace?: string } | undefined): FieldError[] => (ref ? needed(field, ref as { name?: string; namespace?: string }, "name", "namespace") : []);

const names = /^(?:iqn\.\d{4}-\d{2}\.[a-zA-Z0-9.-]+:[^,;*&$|\s]+|eui.[a-zA-Z0-9]{16}|naa.[a-zA-Z0-9]{32})$/;
const iscsiName = (field: string, name: string): FieldError[] => (names.test(name) ? [] : [invalidValue(field, name, "must be valid format")]);

const addresses = "must be a host:port pair or multiple pairs separated by commas";
const isAddress = (pair: string): boolean => /^(?:\[[^[\]]*\]|[^:[\]]*):[^:]*$/.test(pair);

type Checks = { [K in "gcePersistentDisk" | "awsElasticBlockStore" | "glusterfs" | "flocker" | "nfs" | "rbd" | "quobyte" | "cephfs" | "iscsi" | "cinder" | "fc" | "flexVolume" | "azureFile" | "vsphereVolume" | "photonPersistentDisk" | "portworxVolume" | "azureDisk" | "scaleIO" | "storageos"]: SourceCheck<NonNullable<AnySource[K]>> };

export const volumeSourceChecks: Checks = {
  gcePersistentDisk: (field, source) => [...needed(field, source, "pdName"), ...partition(field, source.partition)],
  awsElasticBlockStore: (field, source) => [...needed(field, source, "volumeID"), ...partition(field, source.partition)],
  glusterfs: (field, source, { volumeName }) => {
    const namespace = (source as { endpointsNamespace?: string }).endpointsNamespace, at = `${field}.endpointsNamespace`;
    const errors = needed(field, source, "endpoints", "path");
    if (volumeName === undefined || namespace === undefined) return errors;
    return [...errors, ...(namespace === "" ? [invalidValue(at, namespace, "if the endpointnamespace is set, it must be a valid namespace name")] : dnsLabel(at, namespace))];
  },
  flocker(field, { datasetName = "", datasetUUID = "" }) {
    const errors: FieldError[] = [];
    if (!datasetName && !datasetUUID) errors.push(required(field, "one of datasetName and datasetUUID is required"));
    if (datasetName && datasetUUID) errors.push(invalidValue(field, "resource", "datasetName and datasetUUID can not be specified simultaneously"));
    return datasetName.includes("/") ? [...errors, invalidValue(`${field}.datasetName`, datasetName, "must not contain '/'")] : errors;
  },
  nfs: (field, source) => [...needed(field, source, "server", "path"), ...(source.path?.startsWith("/") ? [] : [invalidValue(`${field}.path`, source.path ?? "", "must be an absolute path")])],
  rbd: (field, source) => needed(field, source, "monitors", "image"),
  quobyte(field, source) {
    const { registry, tenant = "" } = source;
    const errors: FieldError[] = [];
    if (!registry) errors.push(required(`${field}.registry`, addresses));
    else if (tenant.length >= 65) errors.push(required(`${field}.tenant`, "must be a UUID and may not exceed a length of 64 characters"));
    else errors.push(...registry.split(",").filter((pair) => !isAddress(pair)).map(() => invalidValue(`${field}.registry`, registry, addresses)));
    return [...errors, ...needed(field, source, "volume")];
  },
  cephfs: (field, source) => needed(field, source, "monitors"),
  iscsi(field, source, { volumeName }) {
    const { targetPortal = "", iqn, lun = 0, initiatorName, secretRef } = source;
    const errors = needed(field, source, "targetPortal");
    if (volumeName !== undefined && initiatorName !== undefined && `${volumeName}:${targetPortal}`.length > 64) {
      errors.push(invalidValue(`${field}.targetportal`, targetPortal, "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified."));
    }
    errors.push(...(iqn ? iscsiName(`${field}.iqn`, iqn) : [required(`${field}.iqn`)]), ...within(`${field}.lun`, lun, 0, 255));
    if ((source.chapAuthDiscovery || source.chapAuthSession) && !secretRef) errors.push(required(`${field}.secretRef`));
    if (secretRef && volumeName !== undefined && !secretRef.name) errors.push(required(`${field}.secretRef.name`));
    return initiatorName === undefined ? errors : [...errors, ...iscsiName(`${field}.initiatorname`, initiatorName)];
  },
  cinder: (field, source, { volumeName }) => [
    ...needed(field, source, "volumeID"),
    ...(volumeName !== undefined ? secretWithNamespace(`${field}.secretRef`, source.secretRef) : source.secretRef && !source.secretRef.name ? [required(`${field}.secretRef.name`)] : []),
  ],
  fc(field, { targetWWNs = [], wwids = [], lun }) {
    const errors: FieldError[] = [];
    if (targetWWNs.length === 0 && wwids.length === 0) errors.push(required(`${field}.targetWWNs`, "must specify either targetWWNs or wwids, but not both"));
    if (targetWWNs.length > 0 && wwids.length > 0) errors.push(invalidValue(`${field}.targetWWNs`, targetWWNs, "targetWWNs and wwids can not be specified simultaneously"));
    if (targetWWNs.length === 0) return errors;
    return [...errors, ...(lun === undefined ? [required(`${field}.lun`, "lun is required if targetWWNs is specified")] : within(`${field}.lun`, lun, 0, 255))];
  },
  flexVolume: (field, source) => [
    ...needed(field, source, "driver"),
    ...Object.keys(source.options ?? {}).filter((key) => /\.(?:kubernetes|k8s)\.io$/.test(`.${key.split("/", 1)[0]!.toLowerCase()}`))
      .map((key) => invalidValue(`${field}.options[${key}]`, key, "kubernetes.io and k8s.io namespaces are reserved")),
  ],
  azureFile: (field, source, { volumeName }) => [
    ...needed(field, source, "secretName", "shareName"),
    ...(volumeName !== undefined && (source as { secretNamespace?: string }).secretNamespace === "" ? [required(`${field}.secretNamespace`)] : []),
  ],
  vsphereVolume: (field, source) => needed(field, source, "volumePath"),
  photonPersistentDisk: (field, source) => needed(field, source, "pdID"),
  portworxVolume: (field, source) => needed(field, source, "volumeID"),
  azureDisk(field, source) {
    const { cachingMode, kind, diskURI = "" } = source, cachingModes = ["None", "ReadOnly", "ReadWrite"], kinds = ["Dedicated", "Managed", "Shared"];
    const errors = needed(field, source, "diskName", "diskURI");
    if (cachingMode !== undefined && !cachingModes.includes(cachingMode)) errors.push(notSupported(`${field}.cachingMode`, cachingMode, cachingModes));
    if (kind !== undefined && !kinds.includes(kind)) errors.push(notSupported(`${field}.kind`, kind, kinds));
    if (kind === "Managed" && !diskURI.startsWith("/subscriptions/")) errors.push(notSupported(`${field}.diskURI`, diskURI, ["/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"]));
    if (kind !== undefined && kind !== "Managed" && !diskURI.startsWith("https://")) errors.push(notSupported(`${field}.diskURI`, diskURI, ["https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"]));
    return errors;
  },
  scaleIO: (field, source) => needed(field, source, "gateway", "system", "volumeName"),
  storageos(field, source, { volumeName: inVolume }) {
    const { volumeName, volumeNamespace, secretRef } = source;
    return [
      ...(volumeName ? dnsLabel(`${field}.volumeName`, volumeName) : [required(`${field}.volumeName`)]),
      ...(volumeNamespace ? dnsLabel(`${field}.volumeNamespace`, volumeNamespace) : []),
      ...(inVolume !== undefined ? secretWithNamespace(`${field}.secretRef`, secretRef) : secretRef && !secretRef.name ? [required(`${field}.secretRef.name`)] : []),
    ];
  },
};
