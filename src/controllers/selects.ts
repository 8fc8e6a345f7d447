import type { Frozen, KubeObject, LabelSelector } from "../apimachinery/meta.ts";
import { fromLabelSelector, matchesLabels } from "../apimachinery/selectors/labels.ts";

/** Whether a workload's selector picks an object. An absent or empty selector picks nothing: it would take everything in the namespace. */
export function selects(selector: Frozen<LabelSelector> | undefined): (object: Frozen<KubeObject>) => boolean {
  const parsed = fromLabelSelector(selector);
  return (object) => parsed.length > 0 && matchesLabels(parsed, object.metadata.labels);
}
