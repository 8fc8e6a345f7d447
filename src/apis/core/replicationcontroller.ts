import { forbiddenField, invalidValue, notSupported, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { ageColumn, defineResource, nameColumn } from "../../apimachinery/resource.ts";
import { fromSet, formatSelector, matchesLabels } from "../../apimachinery/selectors/labels.ts";
import type { PodTemplateSpec, ReplicationController, ReplicationControllerStatus } from "../generated/core/v1.ts";
import { nonNegative } from "./field-rules.ts";
import { formatLabels } from "./format-labels.ts";
import { defaultPodTemplate } from "./pod/defaults.ts";
import { containerColumns, nameWarnings, podTemplateWarnings } from "./pod/template.ts";
import { validatePodTemplate } from "./pod/validation-spec.ts";
import { validateCounts } from "./replica-counts.ts";

export const replicationcontrollers = defineResource<ReplicationController>({
  group: "", version: "v1", kind: "ReplicationController", resource: "replicationcontrollers", scope: "Namespaced", shortNames: ["rc"], categories: ["all"],
  subresources: {
    status: true,
    scale: {
      getReplicas: ({ spec }) => spec?.replicas ?? 0,
      setReplicas(controller, replicas) {
        controller.spec = { ...controller.spec, replicas };
      },
      statusReplicas: ({ status }) => status?.replicas ?? 0,
      selector: ({ spec }) => formatSelector(fromSet(spec?.selector)),
    },
  },
  schema: "io.k8s.api.core.v1.ReplicationController",
  default: defaultReplicationController,
  strategy: {
    prepareForCreate(controller) {
      controller.status = { replicas: 0 };
    },
    validate, validateUpdate: validate,
    validateStatusUpdate: ({ status }) => validateCounts<Frozen<Partial<ReplicationControllerStatus>>>(status ?? {},
      ["replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "observedGeneration"], ["fullyLabeledReplicas", "readyReplicas", "availableReplicas"]),
    warnings: (controller, old) => [
      ...(old ? [] : nameWarnings(controller.metadata.name)),
      // Of the old template when it changes: so Kubernetes has it.
      ...podTemplateWarnings("spec.template", (old ?? controller).spec?.template, old && controller.spec?.template),
    ],
    defaultPropagation: "Orphan",
  },
  fieldSelectors: { "status.replicas": ({ status }) => String(status?.replicas ?? 0) },
  columns: [
    nameColumn(),
    { name: "Desired", type: "integer", description: "Replicas is the number of desired replicas. This is a pointer to distinguish between explicit zero and unspecified. Defaults to 1. More info: https://kubernetes.io/docs/concepts/workloads/controllers/replicationcontroller#what-is-a-replicationcontroller", value: ({ spec }) => spec?.replicas ?? 0 },
    { name: "Current", type: "integer", description: "Replicas is the most recently observed number of replicas. More info: https://kubernetes.io/docs/concepts/workloads/controllers/replicationcontroller#what-is-a-replicationcontroller", value: ({ status }) => status?.replicas ?? 0 },
    { name: "Ready", type: "integer", description: "The number of ready replicas for this replication controller.", value: ({ status }) => status?.readyReplicas ?? 0 },
    ageColumn(),
    ...containerColumns<ReplicationController>(({ spec }) => spec?.template),
    { name: "Selector", type: "string", priority: 1, description: "Selector is a label query over pods that should match the Replicas count. If Selector is empty, it is defaulted to the labels present on the Pod template. Label keys and values that must match in order to be controlled by this replication controller, if empty defaulted to labels on Pod template. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors", value: ({ spec }) => formatLabels(spec?.selector) },
  ],
  example: () => ({
    apiVersion: "v1", kind: "ReplicationController", metadata: { name: "example", namespace: "default" },
    spec: { template: { metadata: { labels: { app: "example" } }, spec: { containers: [{ name: "main", image: "busybox:1.36" }] } } },
  }),
});

function defaultReplicationController(controller: ReplicationController): void {
  const spec = (controller.spec ??= {}), labels = spec.template?.metadata?.labels;
  if (labels) {
    if (Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels };
    if (Object.keys(controller.metadata.labels ?? {}).length === 0) controller.metadata.labels = { ...labels };
  }
  spec.replicas ??= 1;
  if (spec.template) defaultPodTemplate(spec.template);
}

function validate({ spec = {} }: Frozen<ReplicationController>): FieldError[] {
  const { selector = {}, template } = spec;
  return [
    ...nonNegative("spec.minReadySeconds", spec.minReadySeconds),
    ...(Object.keys(selector).length === 0 ? [required("spec.selector")] : []),
    ...nonNegative("spec.replicas", spec.replicas),
    ...(template ? validateTemplate(template, selector) : [required("spec.template")]),
  ];
}

function validateTemplate(template: Frozen<PodTemplateSpec>, selector: Readonly<Record<string, string>>): FieldError[] {
  const labels = template.metadata?.labels, at = "spec.template";
  const errors = matchesLabels(fromSet(selector), labels) ? [] : [invalidValue(`${at}.metadata.labels`, labels, "`selector` does not match template `labels`")];
  errors.push(...validatePodTemplate(at, template));
  const { restartPolicy, activeDeadlineSeconds } = template.spec ?? {};
  if (restartPolicy !== "Always") errors.push(notSupported(`${at}.spec.restartPolicy`, restartPolicy ?? "", ["Always"]));
  if (activeDeadlineSeconds !== undefined) errors.push(forbiddenField(`${at}.spec.activeDeadlineSeconds`, "activeDeadlineSeconds in ReplicationController is not Supported"));
  return errors;
}
