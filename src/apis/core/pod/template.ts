import { semanticEqual } from "../../../apimachinery/equality.ts";
import type { Frozen } from "../../../apimachinery/meta.ts";
import type { Column } from "../../../apimachinery/resource.ts";
import { formatLabelSelector } from "../../../apimachinery/selectors/labels.ts";
import type { PodTemplateSpec } from "../../generated/core/v1.ts";
import type { LabelSelector, ObjectMeta } from "../../generated/meta/v1.ts";
import { podSpecWarnings } from "./warnings.ts";

interface Workload {
  metadata: ObjectMeta;
  spec: { selector?: LabelSelector; template?: PodTemplateSpec };
}

/** The columns that `-o wide` adds for a kind that makes pods from a template. */
export function templateColumns<T extends Workload>(): readonly Column<T>[] {
  return [
    { name: "Containers", type: "string", priority: 1, description: "Names of each container in the template.", value: (object) => containersOf(object).map(({ name }) => name).join(",") },
    { name: "Images", type: "string", priority: 1, description: "Images referenced by each container in the template.", value: (object) => containersOf(object).map(({ image }) => image ?? "").join(",") },
    { name: "Selector", type: "string", priority: 1, description: "Label selector for pods.", value: (object) => formatLabelSelector((object as Frozen<Workload>).spec.selector) },
  ];
}

/** Of a new template; an update that leaves it alone is not warned of again. */
export function templateWarnings(object: Frozen<Workload>, old?: Frozen<Workload>): string[] {
  const spec = object.spec.template?.spec;
  return !spec || (old && semanticEqual(spec, old.spec.template?.spec)) ? [] : podSpecWarnings("spec.template.spec", spec);
}

const containersOf = (object: unknown): Frozen<{ name: string; image?: string }[]> => (object as Frozen<Workload>).spec.template?.spec?.containers ?? [];
