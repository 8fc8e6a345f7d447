import { forbiddenField, invalidValue, required, tooLong, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { ageColumn, defineResource, nameColumn } from "../../apimachinery/resource.ts";
import { validateImmutableField } from "../../apimachinery/validation/object-meta.ts";
import { dnsSubdomain } from "../core/field-rules.ts";
import type { PersistentVolumeSpec } from "../generated/core/v1.ts";
import type { VolumeAttachment, VolumeAttachmentSource, VolumeError } from "../generated/storage/v1.ts";
import { csiDriverName } from "../core/volume/csi-driver-name.ts";
import { validateVolumeSpec } from "../core/volume/volume-validation.ts";
import { mostBytes, sizeOf } from "./parameters.ts";
export type { VolumeAttachment } from "../generated/storage/v1.ts";

export const volumeattachments = defineResource<VolumeAttachment>({
  group: "storage.k8s.io", version: "v1", kind: "VolumeAttachment", resource: "volumeattachments", scope: "Cluster", subresources: { status: true },
  schema: "io.k8s.api.storage.v1.VolumeAttachment",
  default(attachment) {
    const spec = (attachment.spec ??= { attacher: "", source: {}, nodeName: "" });
    spec.source ??= {};
    (attachment.status ??= { attached: false }).attached ??= false;
  },
  strategy: {
    resetFields: { status: [["metadata"], ["spec"]] },
    returnDeletedObject: true,
    prepareForCreate(attachment) {
      delete attachment.metadata.generation;
      attachment.status = { attached: false };
    },
    validate,
    validateUpdate: (attachment, old) => [...validate(attachment), ...validateImmutableField(attachment.spec, old.spec, "spec")],
    validateStatusUpdate: validate,
    allowUnconditionalUpdate: false,
  },
  columns: [
    nameColumn(),
    { name: "Attacher", type: "string", format: "name", description: "attacher indicates the name of the volume driver that MUST handle this request. This is the name returned by GetPluginName().", value: ({ spec }) => spec.attacher ?? "" },
    { name: "PV", type: "string", description: "persistentVolumeName represents the name of the persistent volume to attach.", value: ({ spec }) => spec.source?.persistentVolumeName ?? "" },
    { name: "Node", type: "string", description: "nodeName represents the node that the volume should be attached to.", value: ({ spec }) => spec.nodeName ?? "" },
    { name: "Attached", type: "boolean", description: "attached indicates the volume is successfully attached. This field must only be set by the entity completing the attach operation, i.e. the external-attacher.", value: ({ status }) => status?.attached ?? false },
    ageColumn(),
  ],
  example: () => ({ apiVersion: "storage.k8s.io/v1", kind: "VolumeAttachment", metadata: { name: "example" }, spec: { attacher: "example.csi.example.com", source: { persistentVolumeName: "example" }, nodeName: "example" } }),
});

const longestMessage = 1024;

function validate({ spec: { attacher, source = {}, nodeName }, status }: Frozen<VolumeAttachment>): FieldError[] {
  const { persistentVolumeName: volume } = source;
  return [
    ...csiDriverName("spec.attacher", attacher),
    ...validateSource("spec.source", source),
    ...dnsSubdomain("spec.nodeName", nodeName),
    ...(sizeOf(status?.attachmentMetadata ?? {}) > mostBytes ? [tooLong("status.attachmentMetadata", mostBytes)] : []),
    ...validateError("status.attachError", status?.attachError),
    ...validateError("status.detachError", status?.detachError),
    ...(volume === undefined ? [] : dnsSubdomain("spec.source.persistentVolumeName", volume)),
  ];
}

function validateSource(field: string, { inlineVolumeSpec: inline, persistentVolumeName: name }: Frozen<VolumeAttachmentSource>): FieldError[] {
  const one = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";
  if (!inline && name === undefined) return [required(field, one)];
  if (inline && name !== undefined) return [forbiddenField(field, one)];
  if (inline) return validateInlineSpec(`${field}.inlineVolumeSpec`, inline);
  return name === "" ? [required(`${field}.persistentVolumeName`, "must specify non empty persistentVolumeName")] : [];
}

/** A volume without an object of its own: a driver's, and of no class. */
function validateInlineSpec(field: string, spec: Frozen<PersistentVolumeSpec>): FieldError[] {
  const { claimRef, capacity, storageClassName, nodeAffinity, persistentVolumeReclaimPolicy: policy, ...rest } = spec;
  const outOfPlace = (part: string, value: unknown): FieldError[] => (value ? [forbiddenField(`${field}.${part}`, "may not be specified in the context of inline volumes")] : []);
  const asVolume = validateVolumeSpec({ ...rest, capacity: { storage: "1" } }, "");
  return [
    ...outOfPlace("claimRef", claimRef),
    ...outOfPlace("capacity", Object.keys(capacity ?? {}).length),
    ...(spec.csi ? [] : [required(`${field}.csi`, "has to be specified in the context of inline volumes")]),
    ...(policy && policy !== "Retain" ? [forbiddenField(`${field}.persistentVolumeReclaimPolicy`, "may only be Retain in the context of inline volumes")] : []),
    ...outOfPlace("nodeAffinity", nodeAffinity),
    ...asVolume.map((error) => ({ ...error, field: error.field.replace(/^spec/, field) })),
    ...outOfPlace("storageClassName", storageClassName),
  ];
}

function validateError(field: string, error: Frozen<VolumeError> | undefined): FieldError[] {
  const { message = "", errorCode: code = 0 } = error ?? {};
  return [
    ...(Buffer.byteLength(message) > longestMessage ? [tooLong(`${field}.message`, mostBytes)] : []),
    ...(code < 0 ? [invalidValue(`${field}.errorCode`, code, "must be between 0 and 2147483647, inclusive")] : []),
  ];
}
