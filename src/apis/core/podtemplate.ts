import { semanticEqual } from "../../apimachinery/equality.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { defineResource, nameColumn } from "../../apimachinery/resource.ts";
import type { PodTemplate } from "../generated/core/v1.ts";
import { formatLabels } from "./format-labels.ts";
import { defaultPodTemplate } from "./pod/defaults.ts";
import { containerColumns, podTemplateWarnings } from "./pod/template.ts";
import { validatePodTemplate } from "./pod/validation-spec.ts";

const validate = ({ template }: Frozen<PodTemplate>) => validatePodTemplate("template", template ?? {});

export const podtemplates = defineResource<PodTemplate>({
  group: "", version: "v1", kind: "PodTemplate", resource: "podtemplates", scope: "Namespaced",
  schema: "io.k8s.api.core.v1.PodTemplate",
  default(object) {
    object.template ??= {};
    defaultPodTemplate(object.template);
  },
  strategy: {
    prepareForCreate({ metadata }) {
      metadata.generation = 1;
    },
    validate, validateUpdate: validate,
    warnings: ({ template }, old) => podTemplateWarnings("template", template, old?.template),
    generationChanged: (object, old) => !semanticEqual(object.template, old.template),
  },
  columns: [
    nameColumn(),
    ...containerColumns<PodTemplate>(({ template }) => template, 0),
    { name: "Pod Labels", type: "string", description: "The labels for the pod template.", value: ({ template }) => formatLabels(template?.metadata?.labels) },
  ],
  example: () => ({
    apiVersion: "v1", kind: "PodTemplate", metadata: { name: "example", namespace: "default" },
    template: { metadata: { labels: { app: "example" } }, spec: { containers: [{ name: "main", image: "busybox:1.36" }] } },
  }),
});
