import { semanticEqual } from "../../../apimachinery/equality.ts";
import type { Frozen } from "../../../apimachinery/meta.ts";
import type { Column } from "../../../apimachinery/resource.ts";
import { formatLabelSelector } from "../../../apimachinery/selectors/labels.ts";
import { dns1123LabelErrors } from "../../../apimachinery/validation/names.ts";
import type { PodTemplateSpec } from "../../generated/core/v1.ts";
import type { LabelSelector, ObjectMeta } from "../../generated/meta/v1.ts";
import { annotationWarnings, podSpecWarnings } from "./warnings.ts";

interface Workload {
  metadata: ObjectMeta;
  spec?: { selector?: LabelSelector; template?: PodTemplateSpec };
}

/** Names and images of a template's containers, which most kinds show with `-o wide` only. */
export function containerColumns<T>(templateOf: (object: Frozen<T>) => Frozen<PodTemplateSpec> | undefined, priority: 0 | 1 = 1): readonly Column<T>[] {
  const containers = (object: Frozen<T>): readonly Frozen<{ name: string; image?: string }>[] => templateOf(object)?.spec?.containers ?? [];
  return [
    { name: "Containers", type: "string", priority, description: "Names of each container in the template.", value: (object) => containers(object).map(({ name }) => name).join(",") },
    { name: "Images", type: "string", priority, description: "Images referenced by each container in the template.", value: (object) => containers(object).map(({ image }) => image ?? "").join(",") },
  ];
}

/** The columns that `-o wide` adds for a kind that makes pods from a template, with its own words on the selector. */
export function templateColumns<T extends Workload>(selectorDescription: string): readonly Column<T>[] {
  return [
    ...containerColumns<T>((object) => (object as Frozen<Workload>).spec?.template),
    { name: "Selector", type: "string", priority: 1, description: selectorDescription, value: (object) => formatLabelSelector((object as Frozen<Workload>).spec?.selector) },
  ];
}

/** Of a new template; an update that leaves it alone is not warned of again. */
export const templateWarnings = (object: Frozen<Workload>, old?: Frozen<Workload>): string[] => podTemplateWarnings("spec.template", object.spec?.template, old?.spec?.template);

export function podTemplateWarnings(field: string, template: Frozen<PodTemplateSpec> | undefined, old?: Frozen<PodTemplateSpec>): string[] {
  if (!template || (old && semanticEqual(template, old))) return [];
  return [...(template.spec ? podSpecWarnings(`${field}.spec`, template.spec) : []), ...annotationWarnings(`${field}.`, template)];
}

/** Pods take the names of what makes them, and a pod's name becomes its host name. */
export function nameWarnings(name = ""): string[] {
  const problems = dns1123LabelErrors(name);
  return problems.length === 0 ? [] : [`metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: [${problems.join(" ")}]`];
}
