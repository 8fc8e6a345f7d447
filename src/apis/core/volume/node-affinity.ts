import type { Frozen } from "../../../apimachinery/meta.ts";
import { makeRequirement, matchesLabels, nothing, type LabelOperator, type Selector } from "../../../apimachinery/selectors/labels.ts";
import type { NodeSelectorTerm, PersistentVolume } from "../../generated/core/v1.ts";

/** Labels of the nodes that a volume can be used on: any one of the selectors; undefined for all nodes. */
export type Reach = readonly Selector[] | undefined;

const operators: Readonly<Record<string, LabelOperator>> = { In: "in", NotIn: "notin", Exists: "exists", DoesNotExist: "!", Gt: "gt", Lt: "lt" };

export const reachOf = ({ spec }: Frozen<PersistentVolume>): Reach => spec?.nodeAffinity?.required?.nodeSelectorTerms.map(selectorOf);

/** Source: k8s.io/component-helpers/storage/volume CheckNodeAffinity, which knows a node by its labels alone. */
export const isReached = (reach: Reach, labels: Readonly<Record<string, string>>): boolean => !reach || reach.some((selector) => matchesLabels(selector, labels));

/** A term without requirements on labels matches no node, nor does one that the API would not let in. */
function selectorOf({ matchExpressions = [], matchFields = [] }: Frozen<NodeSelectorTerm>): Selector {
  if (matchExpressions.length === 0 || matchFields.length > 0) return nothing;
  try {
    return matchExpressions.map(({ key, operator, values = [] }) => makeRequirement(key, operators[operator]!, values));
  } catch {
    return nothing;
  }
}
