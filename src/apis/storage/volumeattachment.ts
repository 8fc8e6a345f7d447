import { forbiddenField, invalidValue, required, tooLong, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { ageColumn, defineResource, nameColumn } from "../../apimachinery/resource.ts";
import { validateImmutableField } from "../../apimachinery/validation/object-meta.ts";
import { dnsSubdomain } from "../core/field-rules.ts";
import type { VolumeAttachment, VolumeAttachmentSource, VolumeError } from "../generated/storage/v1.ts";
import { csiDriverName } from "./driver-name.ts";
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
  return name === "" ? [required(`${field}.persistentVolumeName`, "must specify non empty persistentVolumeName")] : [];
}

function validateError(field: string, error: Frozen<VolumeError> | undefined): FieldError[] {
  const { message = "", errorCode: code = 0 } = error ?? {};
  return [
    ...(Buffer.byteLength(message) > longestMessage ? [tooLong(`${field}.message`, mostBytes)] : []),
    ...(code < 0 ? [invalidValue(`${field}.errorCode`, code, "must be between 0 and 2147483647, inclusive")] : []),
  ];
}
