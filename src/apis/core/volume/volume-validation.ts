import { posix } from "node:path";
import { semanticEqual } from "../../../apimachinery/equality.ts";
import { forbiddenField, invalidValue, notSupported, required, type FieldError } from "../../../apimachinery/field-errors.ts";
import type { Frozen } from "../../../apimachinery/meta.ts";
import type { CSIPersistentVolumeSource, LocalVolumeSource, PersistentVolume, PersistentVolumeSpec, SecretReference } from "../../generated/core/v1.ts";
import { changedFields } from "../changed-fields.ts";
import { dnsLabel, dnsSubdomain, given, noBacksteps } from "../field-rules.ts";
import { validateNodeSelector } from "../pod/validation-scheduling.ts";
import { validateHostPath } from "../pod/validation-volumes.ts";
import { basicAmount, positiveAmount } from "../resource-names.ts";
import { validateAccessModes, volumeModes } from "./access-modes.ts";
import { csiDriverName } from "./csi-driver-name.ts";
import { volumeSourceChecks, type SourceCheck } from "./network-sources.ts";

const reclaimPolicies = ["Delete", "Recycle", "Retain"];

export function validateVolumeSpec(spec: Frozen<PersistentVolumeSpec>, name: string): FieldError[] {
  const { accessModes = [], persistentVolumeReclaimPolicy: policy, volumeMode, volumeAttributesClassName: attributesClass } = spec;
  const errors = [...(accessModes.length === 0 ? [required("spec.accessModes")] : []), ...validateAccessModes("spec.accessModes", accessModes), ...validateCapacity(spec.capacity)];
  if (policy && !reclaimPolicies.includes(policy)) errors.push(notSupported("spec.persistentVolumeReclaimPolicy", policy, reclaimPolicies));
  if (spec.nodeAffinity) {
    const { required: needed } = spec.nodeAffinity;
    errors.push(...(needed ? validateNodeSelector("spec.nodeAffinity.required", needed) : [required("spec.nodeAffinity.required", "must specify required node constraints")]));
  }
  errors.push(...validateSources(spec, name));
  if (spec.hostPath?.path && posix.normalize(spec.hostPath.path) === "/" && policy === "Recycle") errors.push(forbiddenField("spec.persistentVolumeReclaimPolicy", "may not be 'recycle' for a hostPath mount of '/'"));
  errors.push(...given(spec.storageClassName, (value) => dnsSubdomain("spec.storageClassName", value)));
  if (volumeMode !== undefined && !volumeModes.includes(volumeMode)) errors.push(notSupported("spec.volumeMode", volumeMode, volumeModes));
  if (attributesClass === undefined) return errors;
  errors.push(...(attributesClass === "" ? [required("spec.volumeAttributesClassName", "an empty string is disallowed")] : dnsSubdomain("spec.volumeAttributesClassName", attributesClass)));
  return spec.csi ? errors : [...errors, required("spec.csi", "has to be specified when using volumeAttributesClassName")];
}

function validateCapacity(capacity: Readonly<Record<string, string | number>> | undefined): FieldError[] {
  const names = Object.keys(capacity ?? {}), at = "spec.capacity";
  const errors = names.length === 0 ? [required(at)] : [];
  if (capacity?.["storage"] === undefined || names.length > 1) errors.push(notSupported(at, capacity, ["storage"]));
  return [...errors, ...names.flatMap((name) => [...basicAmount(`${at}[${name}]`, capacity![name]!), ...positiveAmount(`${at}[${name}]`, capacity![name]!)])];
}

/** In the order Kubernetes looks at them: the first that is set is the volume's, any other is one too many. */
const sourceNames = [
  "hostPath", "gcePersistentDisk", "awsElasticBlockStore", "glusterfs", "flocker", "nfs", "rbd", "quobyte", "cephfs", "iscsi", "cinder", "fc", "flexVolume", "azureFile",
  "vsphereVolume", "photonPersistentDisk", "portworxVolume", "azureDisk", "scaleIO", "local", "storageos", "csi",
] as const;
type SourceName = (typeof sourceNames)[number];

function validateSources(spec: Frozen<PersistentVolumeSpec>, name: string): FieldError[] {
  const [first, ...others] = sourceNames.filter((source) => spec[source]);
  if (!first) return [required("spec", "must specify a volume type")];
  const errors = validateSource(first, spec, name);
  for (const other of others) {
    if (other === "flexVolume") errors.push(...validateSource(other, spec, name));
    else errors.push(forbiddenField(`spec.${other === "cephfs" ? "cephFS" : other}`, "may not specify more than 1 volume type"));
  }
  return errors;
}

function validateSource(source: SourceName, spec: Frozen<PersistentVolumeSpec>, name: string): FieldError[] {
  const at = `spec.${source === "gcePersistentDisk" ? "persistentDisk" : source}`;
  if (source === "hostPath") return validateHostPath(at, spec.hostPath!);
  if (source === "csi") return validateCsi(at, spec.csi!);
  if (source === "local") return [...validateLocal(at, spec.local!), ...(spec.nodeAffinity ? [] : [required("spec.nodeAffinity", "Local volume requires node affinity")])];
  return (volumeSourceChecks[source] as SourceCheck<unknown>)(at, spec[source], { volumeName: name });
}

const validateLocal = (field: string, { path }: Frozen<LocalVolumeSource>): FieldError[] => (path ? noBacksteps(`${field}.path`, path) : [required(`${field}.path`)]);

function validateCsi(field: string, csi: Frozen<CSIPersistentVolumeSource>): FieldError[] {
  const errors = csiDriverName(`${field}.driver`, csi.driver);
  if (!csi.volumeHandle) errors.push(required(`${field}.volumeHandle`));
  for (const name of ["controllerPublishSecretRef", "controllerExpandSecretRef", "nodePublishSecretRef", "nodeExpandSecretRef"] as const) {
    if (csi[name]) errors.push(...validateSecretRef(`${field}.${name}`, csi[name]));
  }
  return errors;
}

function validateSecretRef(field: string, { name, namespace }: Frozen<SecretReference>): FieldError[] {
  return [...(name ? dnsSubdomain(`${field}.name`, name) : [required(`${field}.name`)]), ...(namespace ? dnsLabel(`${field}.namespace`, namespace) : [required(`${field}.namespace`)])];
}

/** Where a volume's data lies does not change; a secret for growing it may be named later. */
export function validateVolumeUpdate(volume: Frozen<PersistentVolume>, old: Frozen<PersistentVolume>): FieldError[] {
  const spec = volume.spec ?? {}, was = old.spec ?? {};
  const errors = validateVolumeSpec(spec, volume.metadata.name ?? "");
  const source = sourceOf(spec), oldSource = sourceOf(was);
  if (source.csi && oldSource.csi && !oldSource.csi.controllerExpandSecretRef) {
    const { controllerExpandSecretRef: _, ...csi } = source.csi;
    source.csi = csi;
  }
  if (!semanticEqual(source, oldSource)) errors.push(forbiddenField("spec.persistentvolumesource", `spec.persistentvolumesource is immutable after creation\n${changedFields(source, oldSource)}`));
  if (spec.volumeMode !== was.volumeMode) errors.push(invalidValue("volumeMode", spec.volumeMode, "field is immutable"));
  if (was.nodeAffinity && !semanticEqual(spec.nodeAffinity, withCurrentKeys(was.nodeAffinity, spec.nodeAffinity))) {
    errors.push(invalidValue("nodeAffinity", spec.nodeAffinity, "field is immutable, except for updating from beta label to GA"));
  }
  if (was.volumeAttributesClassName !== undefined && spec.volumeAttributesClassName === undefined) errors.push(forbiddenField("spec.volumeAttributesClassName", "update from non-nil value to nil is forbidden"));
  return errors;
}

type Source = { -readonly [K in SourceName]?: Frozen<PersistentVolumeSpec>[K] };

function sourceOf(spec: Frozen<PersistentVolumeSpec>): Source {
  return Object.fromEntries(sourceNames.flatMap((name) => (spec[name] ? [[name, spec[name]]] : []))) as Source;
}

const stableKeys: Readonly<Record<string, string>> = {
  "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
  "beta.kubernetes.io/os": "kubernetes.io/os", "beta.kubernetes.io/arch": "kubernetes.io/arch", "beta.kubernetes.io/instance-type": "node.kubernetes.io/instance-type",
};

type NodeAffinity = Frozen<PersistentVolumeSpec>["nodeAffinity"];

/** The old affinity, with those labels renamed that the new one names as they are called today. */
function withCurrentKeys(old: NonNullable<NodeAffinity>, current: NodeAffinity): unknown {
  const terms = current?.required?.nodeSelectorTerms;
  return {
    required: {
      nodeSelectorTerms: old.required?.nodeSelectorTerms?.map((term, i) => ({
        ...term,
        ...(term.matchExpressions ? { matchExpressions: term.matchExpressions.map((one, j) => (stableKeys[one.key] !== undefined && terms?.[i]?.matchExpressions?.[j]?.key === stableKeys[one.key] ? { ...one, key: stableKeys[one.key] } : one)) } : {}),
      })),
    },
  };
}
