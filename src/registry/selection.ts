import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import type { AnyResource, ResourceCard } from "../apimachinery/resource.ts";
import { matchesFields, parseFieldSelector, requiredValue, type FieldSelector } from "../apimachinery/selectors/fields.ts";
import { matchesLabels, parseLabelSelector, type Selector } from "../apimachinery/selectors/labels.ts";
import { badRequest } from "../apimachinery/status.ts";

/** Which objects of a kind a list or watch is about. */
export interface Selection<T extends KubeObject> {
  /** True when there is no selector: everything matches. */
  readonly all: boolean;
  /** The one name asked for by `metadata.name=`, so that a lookup can replace a scan. */
  readonly name?: string;
  matches(object: Frozen<T>): boolean;
  /** The value a field must have, so that an index can serve the selection. */
  required(field: string): string | undefined;
}

export function parseSelection<T extends KubeObject>(card: ResourceCard<T>, { labelSelector, fieldSelector }: { labelSelector?: string; fieldSelector?: string }): Selection<T> {
  const labels: Selector = labelSelector ? parseLabelSelector(labelSelector) : [];
  const fields: FieldSelector = fieldSelector ? parseFieldSelector(fieldSelector) : [];
  for (const { field } of fields) checkField(card, field);
  return {
    all: labels.length === 0 && fields.length === 0,
    name: requiredValue(fields, "metadata.name"),
    required: (field) => requiredValue(fields, field),
    matches: (object) => matchesLabels(labels, (object as Frozen<KubeObject>).metadata.labels) && matchesFields(fields, (field) => valueOf(card, object, field)),
  };
}

function checkField(card: AnyResource, field: string): void {
  if (field === "metadata.name" || field === "metadata.namespace" || Object.hasOwn(card.fieldSelectors, field)) return;
  throw badRequest(Object.keys(card.fieldSelectors).length === 0
    ? `${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`
    : `field label not supported: ${field}`);
}

function valueOf<T extends KubeObject>(card: ResourceCard<T>, object: Frozen<T>, field: string): string {
  const { metadata } = object as Frozen<KubeObject>;
  if (field === "metadata.name") return metadata.name ?? "";
  if (field === "metadata.namespace") return metadata.namespace ?? "";
  return card.fieldSelectors[field]!(object);
}
