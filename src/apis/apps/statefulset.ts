import type { Frozen } from "../../apimachinery/meta.ts";
import { ageColumn, defineResource, nameColumn } from "../../apimachinery/resource.ts";
import { formatLabelSelector } from "../../apimachinery/selectors/labels.ts";
import { nameIsDns1123Label } from "../../apimachinery/validation/names.ts";
import type { StatefulSet } from "../generated/apps/v1.ts";
import { defaultPodTemplate } from "../core/pod/defaults.ts";
import { containerColumns, templateWarnings } from "../core/pod/template.ts";
import { defaultClaim } from "../core/volume/claim-defaults.ts";
import { claimSpecWarnings } from "../core/volume/claim-warnings.ts";
import { validateStatefulSet, validateStatefulSetStatusUpdate, validateStatefulSetUpdate } from "./statefulset-validation.ts";
export type { StatefulSet } from "../generated/apps/v1.ts";

export const statefulsets = defineResource<StatefulSet>({
  group: "apps", version: "v1", kind: "StatefulSet", resource: "statefulsets", scope: "Namespaced", shortNames: ["sts"], categories: ["all"],
  subresources: {
    status: true,
    scale: {
      getReplicas: ({ spec }) => spec?.replicas ?? 0,
      setReplicas(statefulset, replicas) {
        statefulset.spec!.replicas = replicas;
      },
      statusReplicas: ({ status }) => status?.replicas ?? 0,
      selector: ({ spec }) => formatLabelSelector(spec?.selector),
    },
  },
  schema: "io.k8s.api.apps.v1.StatefulSet",
  default: defaultStatefulSet,
  strategy: {
    prepareForCreate(statefulset) {
      statefulset.status = { replicas: 0, availableReplicas: 0 };
      dropMaxUnavailable(statefulset);
    },
    prepareForUpdate(statefulset, old) {
      if (old.spec?.updateStrategy?.rollingUpdate?.maxUnavailable === undefined) dropMaxUnavailable(statefulset);
    },
    validate: validateStatefulSet,
    validateUpdate: validateStatefulSetUpdate,
    validateStatusUpdate: validateStatefulSetStatusUpdate,
    warnings,
  },
  columns: [
    nameColumn(),
    { name: "Ready", type: "string", description: "Number of the pod with ready state", value: ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}` },
    ageColumn(),
    ...containerColumns<StatefulSet>(({ spec }) => spec?.template),
  ],
  validateName: nameIsDns1123Label,
  example: () => ({
    apiVersion: "apps/v1", kind: "StatefulSet", metadata: { name: "example", namespace: "default" },
    spec: { serviceName: "example", selector: { matchLabels: { app: "example" } }, template: { metadata: { labels: { app: "example" } }, spec: { containers: [{ name: "main", image: "busybox:1.36" }] } } },
  }),
});

function defaultStatefulSet(statefulset: StatefulSet): void {
  const spec = (statefulset.spec ??= { selector: {}, template: {}, serviceName: "" });
  spec.podManagementPolicy ||= "OrderedReady";
  const strategy = (spec.updateStrategy ??= {});
  if (!strategy.type) {
    strategy.type = "RollingUpdate";
    strategy.rollingUpdate ??= {};
  }
  if (strategy.type === "RollingUpdate" && strategy.rollingUpdate) strategy.rollingUpdate.partition ??= 0;
  const retention = (spec.persistentVolumeClaimRetentionPolicy ??= {});
  retention.whenDeleted ||= "Retain";
  retention.whenScaled ||= "Retain";
  spec.replicas ??= 1;
  spec.revisionHistoryLimit ??= 10;
  for (const claim of spec.volumeClaimTemplates ?? []) {
    claim.apiVersion = "v1";
    claim.kind = "PersistentVolumeClaim";
    defaultClaim(claim);
  }
  spec.template ??= {};
  defaultPodTemplate(spec.template);
}

/** The feature MaxUnavailableStatefulSet is off by default in 1.36. */
function dropMaxUnavailable({ spec }: StatefulSet): void {
  delete spec?.updateStrategy?.rollingUpdate?.maxUnavailable;
}

function warnings(statefulset: Frozen<StatefulSet>, old?: Frozen<StatefulSet>): string[] {
  const { volumeClaimTemplates = [], revisionHistoryLimit = 0 } = statefulset.spec ?? {};
  return [
    ...templateWarnings(statefulset, old),
    ...volumeClaimTemplates.flatMap(({ spec }, index) => (spec ? claimSpecWarnings(`spec.volumeClaimTemplates[${index}]${old ? ".Spec" : ""}`, spec) : [])),
    ...(revisionHistoryLimit < 0 ? ["spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended"] : []),
  ];
}
