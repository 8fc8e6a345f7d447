import { ageColumn, defineResource, nameColumn } from "../../apimachinery/resource.ts";
import { formatLabelSelector } from "../../apimachinery/selectors/labels.ts";
import { defaultPodTemplate } from "../core/pod/defaults.ts";
import { nameWarnings, templateColumns, templateWarnings } from "../core/pod/template.ts";
import type { ReplicaSet } from "../generated/apps/v1.ts";
import { validateReplicaSet, validateReplicaSetStatusUpdate, validateReplicaSetUpdate } from "./replicaset-validation.ts";
export type { ReplicaSet } from "../generated/apps/v1.ts";

export const replicasets = defineResource<ReplicaSet>({
  group: "apps", version: "v1", kind: "ReplicaSet", resource: "replicasets", scope: "Namespaced", shortNames: ["rs"], categories: ["all"],
  subresources: {
    status: true,
    scale: {
      getReplicas: ({ spec }) => spec.replicas ?? 1,
      setReplicas: ({ spec }, replicas) => {
        spec.replicas = replicas;
      },
      statusReplicas: ({ status }) => status?.replicas ?? 0,
      selector: ({ spec }) => formatLabelSelector(spec.selector),
    },
  },
  schema: "io.k8s.api.apps.v1.ReplicaSet",
  default(replicaset) {
    replicaset.spec ??= {};
    replicaset.spec.replicas ??= 1;
    replicaset.spec.template ??= {};
    defaultPodTemplate(replicaset.spec.template);
  },
  strategy: {
    prepareForCreate(replicaset) {
      replicaset.status = { replicas: 0 };
    },
    validate: validateReplicaSet,
    validateUpdate: validateReplicaSetUpdate,
    validateStatusUpdate: validateReplicaSetStatusUpdate,
    warnings: (replicaset, old) => [...(old ? [] : nameWarnings(replicaset.metadata.name)), ...templateWarnings(replicaset, old)],
  },
  fieldSelectors: { "status.replicas": ({ status }) => String(status?.replicas ?? 0) },
  columns: [
    nameColumn(),
    { name: "Desired", type: "integer", description: "Replicas is the number of desired pods. This is a pointer to distinguish between explicit zero and unspecified. Defaults to 1. More info: https://kubernetes.io/docs/concepts/workloads/controllers/replicaset", value: ({ spec }) => spec.replicas ?? 0 },
    { name: "Current", type: "integer", description: "Replicas is the most recently observed number of non-terminating pods. More info: https://kubernetes.io/docs/concepts/workloads/controllers/replicaset", value: ({ status }) => status?.replicas ?? 0 },
    { name: "Ready", type: "integer", description: "The number of non-terminating pods targeted by this ReplicaSet with a Ready Condition.", value: ({ status }) => status?.readyReplicas ?? 0 },
    ageColumn(),
    ...templateColumns<ReplicaSet>("Selector is a label query over pods that should match the replica count. Label keys and values that must match in order to be controlled by this replica set. It must match the pod template's labels. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors"),
  ],
  example: () => ({
    apiVersion: "apps/v1", kind: "ReplicaSet", metadata: { name: "example", namespace: "default" },
    spec: { selector: { matchLabels: { app: "example" } }, template: { metadata: { labels: { app: "example" } }, spec: { containers: [{ name: "main", image: "busybox:1.36" }] } } },
  }),
});
