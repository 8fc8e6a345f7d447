import { semanticEqual } from "../../apimachinery/equality.ts";
import { ageColumn, defineResource, nameColumn } from "../../apimachinery/resource.ts";
import { formatLabelSelector } from "../../apimachinery/selectors/labels.ts";
import { defaultPodTemplate } from "../core/pod/defaults.ts";
import { nameWarnings, templateColumns, templateWarnings } from "../core/pod/template.ts";
import type { Deployment } from "../generated/apps/v1.ts";
import { validateDeployment, validateDeploymentStatusUpdate, validateDeploymentUpdate } from "./deployment-validation.ts";
export type { Deployment } from "../generated/apps/v1.ts";

export const deployments = defineResource<Deployment>({
  group: "apps", version: "v1", kind: "Deployment", resource: "deployments", scope: "Namespaced", shortNames: ["deploy"], categories: ["all"],
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
  schema: "io.k8s.api.apps.v1.Deployment",
  default: defaultDeployment,
  strategy: {
    resetFields: { status: [["spec"], ["metadata", "labels"]] },
    prepareForCreate(deployment) {
      deployment.status = {};
    },
    validate: validateDeployment,
    validateUpdate: validateDeploymentUpdate,
    validateStatusUpdate: validateDeploymentStatusUpdate,
    warnings: (deployment, old) => [...(old ? [] : nameWarnings(deployment.metadata.name)), ...templateWarnings(deployment, old)],
    // Annotations count too: the rollout's change cause is one, and ReplicaSets take them over.
    generationChanged: (deployment, old) => !semanticEqual(deployment.spec, old.spec) || !semanticEqual(deployment.metadata.annotations ?? {}, old.metadata.annotations ?? {}),
  },
  columns: [
    nameColumn(),
    { name: "Ready", type: "string", description: "Number of the pod with ready state", value: ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec.replicas ?? 0}` },
    { name: "Up-to-date", type: "string", description: "Total number of non-terminating pods targeted by this deployment that have the desired template spec.", value: ({ status }) => status?.updatedReplicas ?? 0 },
    { name: "Available", type: "string", description: "Total number of available non-terminating pods (ready for at least minReadySeconds) targeted by this deployment.", value: ({ status }) => status?.availableReplicas ?? 0 },
    ageColumn(),
    ...templateColumns<Deployment>("Label selector for pods. Existing ReplicaSets whose pods are selected by this will be the ones affected by this deployment. It must match the pod template's labels."),
  ],
  example: () => ({
    apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "example", namespace: "default" },
    spec: { selector: { matchLabels: { app: "example" } }, template: { metadata: { labels: { app: "example" } }, spec: { containers: [{ name: "main", image: "busybox:1.36" }] } } },
  }),
});

function defaultDeployment(deployment: Deployment): void {
  const spec = (deployment.spec ??= { template: {} });
  spec.replicas ??= 1;
  spec.strategy ??= {};
  spec.strategy.type ||= "RollingUpdate";
  if (spec.strategy.type === "RollingUpdate") {
    spec.strategy.rollingUpdate ??= {};
    spec.strategy.rollingUpdate.maxUnavailable ??= "25%";
    spec.strategy.rollingUpdate.maxSurge ??= "25%";
  }
  spec.revisionHistoryLimit ??= 10;
  spec.progressDeadlineSeconds ??= 600;
  spec.template ??= {};
  defaultPodTemplate(spec.template);
}
