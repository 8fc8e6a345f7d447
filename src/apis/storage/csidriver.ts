import { semanticEqual } from "../../apimachinery/equality.ts";
import { duplicate, invalidValue, notSupported, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { ageColumn, defineResource, nameColumn } from "../../apimachinery/resource.ts";
import { validateImmutableField } from "../../apimachinery/validation/object-meta.ts";
import type { CSIDriver, CSIDriverSpec, TokenRequest } from "../generated/storage/v1.ts";
export type { CSIDriver } from "../generated/storage/v1.ts";

export const csidrivers = defineResource<CSIDriver>({
  group: "storage.k8s.io", version: "v1", kind: "CSIDriver", resource: "csidrivers", scope: "Cluster",
  schema: "io.k8s.api.storage.v1.CSIDriver",
  default(driver) {
    const spec = (driver.spec ??= {});
    spec.attachRequired ??= true;
    spec.podInfoOnMount ??= false;
    spec.storageCapacity ??= false;
    spec.fsGroupPolicy ??= "ReadWriteOnceWithFSType";
    if (!spec.volumeLifecycleModes?.length) spec.volumeLifecycleModes = ["Persistent"];
    spec.requiresRepublish ??= false;
    spec.seLinuxMount ??= false;
  },
  strategy: {
    returnDeletedObject: true,
    // Without a feature that is off by default, VolumeLimitScaling, this field is dropped.
    prepareForCreate({ metadata, spec }) {
      delete metadata.generation;
      delete spec.preventPodSchedulingIfMissing;
    },
    prepareForUpdate({ spec }, old) {
      if (old.spec.preventPodSchedulingIfMissing === undefined) delete spec.preventPodSchedulingIfMissing;
    },
    validate: ({ spec }) => validate(spec),
    validateUpdate: ({ spec }, { spec: old }) => [
      ...validate(spec),
      ...validateImmutableField(spec.attachRequired, old.attachRequired, "spec.attachedRequired"),
      ...validateImmutableField(spec.volumeLifecycleModes, old.volumeLifecycleModes, "spec.volumeLifecycleModes"),
    ],
    warnings,
    allowUnconditionalUpdate: false,
  },
  columns: [
    nameColumn(),
    { name: "AttachRequired", type: "boolean", description: "attachRequired indicates this CSI volume driver requires an attach operation.", value: ({ spec }) => spec.attachRequired ?? true },
    { name: "PodInfoOnMount", type: "boolean", description: "podInfoOnMount indicates this CSI volume driver requires additional pod information during mount operations.", value: ({ spec }) => spec.podInfoOnMount ?? false },
    { name: "StorageCapacity", type: "boolean", description: "storageCapacity indicates that the CSI volume driver wants pod scheduling to consider the storage capacity that the driver deployment will report.", value: ({ spec }) => spec.storageCapacity ?? false },
    { name: "TokenRequests", type: "string", description: "tokenRequests indicates the CSI driver needs pods' service account tokens it is mounting volume for to do necessary authentication.", value: ({ spec }) => spec.tokenRequests?.map(({ audience }) => audience ?? "").join(",") ?? "<unset>" },
    { name: "RequiresRepublish", type: "boolean", description: "requiresRepublish indicates the CSI driver wants `NodePublishVolume` being periodically called to reflect any possible change in the mounted volume.", value: ({ spec }) => spec.requiresRepublish ?? false },
    { name: "Modes", type: "string", description: "volumeLifecycleModes defines what kind of volumes this CSI volume driver supports.", value: ({ spec }) => (spec.volumeLifecycleModes ?? []).join(",") || "<none>" },
    ageColumn(),
  ],
  example: () => ({ apiVersion: "storage.k8s.io/v1", kind: "CSIDriver", metadata: { name: "example.csi.example.com" }, spec: {} }),
});

function warnings({ spec }: Frozen<CSIDriver>, old?: Frozen<CSIDriver>): string[] {
  if (!spec.tokenRequests?.length || spec.serviceAccountTokenInSecrets !== undefined || (old && semanticEqual(spec.tokenRequests, old.spec.tokenRequests))) return [];
  return ["spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes"];
}

const fsGroupPolicies = ["File", "None", "ReadWriteOnceWithFSType"], lifecycleModes = ["Persistent", "Ephemeral"];

function validate(spec: Frozen<CSIDriverSpec>): FieldError[] {
  const { fsGroupPolicy, tokenRequests = [], volumeLifecycleModes = [], nodeAllocatableUpdatePeriodSeconds: period, serviceAccountTokenInSecrets: inSecrets } = spec;
  const stated = (field: string, value: boolean | undefined): FieldError[] => (value === undefined ? [required(field)] : []);
  return [
    ...stated("spec.attachedRequired", spec.attachRequired),
    ...stated("spec.podInfoOnMount", spec.podInfoOnMount),
    ...stated("spec.storageCapacity", spec.storageCapacity),
    ...(fsGroupPolicy === undefined || fsGroupPolicies.includes(fsGroupPolicy) ? [] : [notSupported("spec.fsGroupPolicy", fsGroupPolicy, fsGroupPolicies)]),
    ...validateTokenRequests("spec.tokenRequests", tokenRequests),
    ...volumeLifecycleModes.filter((mode) => !lifecycleModes.includes(mode)).map((mode) => notSupported("spec.volumeLifecycleModes", mode, lifecycleModes)),
    ...stated("spec.seLinuxMount", spec.seLinuxMount),
    ...(period !== undefined && period < 10 ? [invalidValue("spec.nodeAllocatableUpdatePeriodSeconds", period, "must be greater than or equal to 10 seconds")] : []),
    ...(inSecrets !== undefined && tokenRequests.length === 0 ? [invalidValue("spec.serviceAccountTokenInSecrets", inSecrets, "serviceAccountTokenInSecrets is set but no tokenRequests are specified")] : []),
  ];
}

function validateTokenRequests(field: string, requests: readonly Frozen<TokenRequest>[]): FieldError[] {
  const audiences = requests.map(({ audience }) => audience ?? "");
  return requests.flatMap(({ expirationSeconds: seconds }, index) => {
    if (audiences.indexOf(audiences[index]!) < index) return [duplicate(`${field}[${index}].audience`, audiences[index])];
    if (seconds === undefined) return [];
    const wrong = (message: string): FieldError[] => [invalidValue(`${field}[${index}].expirationSeconds`, seconds, message)];
    if (seconds < 600) return wrong("may not specify a duration less than 10 minutes");
    return seconds > 2 ** 32 ? wrong("may not specify a duration larger than 2^32 seconds") : [];
  });
}
