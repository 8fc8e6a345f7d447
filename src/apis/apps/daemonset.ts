import { semanticEqual } from "../../apimachinery/equality.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { ageColumn, defineResource, nameColumn } from "../../apimachinery/resource.ts";
import type { DaemonSet } from "../generated/apps/v1.ts";
import { formatLabels } from "../core/format-labels.ts";
import { defaultPodTemplate } from "../core/pod/defaults.ts";
import { templateColumns, templateWarnings } from "../core/pod/template.ts";
import { validateDaemonSet, validateDaemonSetStatusUpdate, validateDaemonSetUpdate } from "./daemonset-validation.ts";
export type { DaemonSet } from "../generated/apps/v1.ts";

/** Counts changes of the template since before there were ControllerRevisions. */
export const templateGenerationAnnotation = "deprecated.daemonset.template.generation";

export const daemonsets = defineResource<DaemonSet>({
  group: "apps", version: "v1", kind: "DaemonSet", resource: "daemonsets", scope: "Namespaced", shortNames: ["ds"], categories: ["all"],
  subresources: { status: true },
  schema: "io.k8s.api.apps.v1.DaemonSet",
  default: defaultDaemonSet,
  strategy: {
    prepareForCreate(daemonset) {
      daemonset.status = { currentNumberScheduled: 0, numberMisscheduled: 0, desiredNumberScheduled: 0, numberReady: 0 };
      setTemplateGeneration(daemonset, Math.max(templateGeneration(daemonset), 1));
    },
    prepareForUpdate(daemonset, old) {
      const changed = !semanticEqual(daemonset.spec?.template, old.spec?.template);
      setTemplateGeneration(daemonset, templateGeneration(old) + (changed ? 1 : 0));
    },
    validate: validateDaemonSet,
    validateUpdate: validateDaemonSetUpdate,
    validateStatusUpdate: validateDaemonSetStatusUpdate,
    warnings: templateWarnings,
  },
  columns: [
    nameColumn(),
    { name: "Desired", type: "integer", description: "The total number of nodes that should be running the daemon pod (including nodes correctly running the daemon pod). More info: https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/", value: ({ status }) => status?.desiredNumberScheduled ?? 0 },
    { name: "Current", type: "integer", description: "The number of nodes that are running at least 1 daemon pod and are supposed to run the daemon pod. More info: https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/", value: ({ status }) => status?.currentNumberScheduled ?? 0 },
    { name: "Ready", type: "integer", description: "numberReady is the number of nodes that should be running the daemon pod and have one or more of the daemon pod running with a Ready Condition.", value: ({ status }) => status?.numberReady ?? 0 },
    { name: "Up-to-date", type: "integer", description: "The total number of nodes that are running updated daemon pod", value: ({ status }) => status?.updatedNumberScheduled ?? 0 },
    { name: "Available", type: "integer", description: "The number of nodes that should be running the daemon pod and have one or more of the daemon pod running and available (ready for at least spec.minReadySeconds)", value: ({ status }) => status?.numberAvailable ?? 0 },
    { name: "Node Selector", type: "string", description: "NodeSelector is a selector which must be true for the pod to fit on a node. Selector which must match a node's labels for the pod to be scheduled on that node. More info: https://kubernetes.io/docs/concepts/configuration/assign-pod-node/", value: ({ spec }) => formatLabels(spec?.template?.spec?.nodeSelector) },
    ageColumn(),
    ...templateColumns<DaemonSet>("A label query over pods that are managed by the daemon set. Must match in order to be controlled. It must match the pod template's labels. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors"),
  ],
  example: () => ({
    apiVersion: "apps/v1", kind: "DaemonSet", metadata: { name: "example", namespace: "default" },
    spec: { selector: { matchLabels: { app: "example" } }, template: { metadata: { labels: { app: "example" } }, spec: { containers: [{ name: "main", image: "busybox:1.36" }] } } },
  }),
});

function defaultDaemonSet(daemonset: DaemonSet): void {
  (daemonset.metadata.annotations ??= {})[templateGenerationAnnotation] ??= "0";
  const spec = (daemonset.spec ??= { selector: {}, template: {} });
  const strategy = (spec.updateStrategy ??= {});
  strategy.type ||= "RollingUpdate";
  if (strategy.type === "RollingUpdate") {
    const rolling = (strategy.rollingUpdate ??= {});
    rolling.maxUnavailable ??= 1;
    rolling.maxSurge ??= 0;
  }
  spec.revisionHistoryLimit ??= 10;
  spec.template ??= {};
  defaultPodTemplate(spec.template);
}

const templateGeneration = ({ metadata }: Frozen<DaemonSet>): number => Number(metadata.annotations?.[templateGenerationAnnotation] ?? 0) || 0;

function setTemplateGeneration({ metadata }: DaemonSet, generation: number): void {
  metadata.annotations = { ...metadata.annotations, [templateGenerationAnnotation]: String(generation) };
}
