import { semanticEqual } from "../../../apimachinery/equality.ts";
import { forbiddenField, invalidValue, type FieldError } from "../../../apimachinery/field-errors.ts";
import type { Frozen } from "../../../apimachinery/meta.ts";
import type { NodeSelectorRequirement, NodeSelectorTerm, PodSpec } from "../../generated/core/v1.ts";

/** Gates are set when a pod is made; from then on they are only taken away. */
export function validateGatesUpdate({ schedulingGates = [] }: Frozen<PodSpec>, old: Frozen<PodSpec>): FieldError[] {
  const known = new Set((old.schedulingGates ?? []).map(({ name }) => name));
  return schedulingGates.flatMap(({ name }, index) =>
    known.has(name) ? [] : [forbiddenField(`spec.schedulingGates[${index}].name`, `only deletion is allowed, but found new scheduling gate '${name}'`)]);
}

/** Until it is let through to the scheduler, a pod may still be narrowed to fewer nodes. */
export function validateNarrowing(spec: Frozen<PodSpec>, old: Frozen<PodSpec>): FieldError[] {
  const kept = Object.entries(old.nodeSelector ?? {}).every(([key, value]) => spec.nodeSelector?.[key] === value);
  const errors = kept ? [] : [invalidValue("spec.nodeSelector", spec.nodeSelector, "only additions to spec.nodeSelector are allowed (no mutations or deletions)")];
  const at = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms";
  const terms = termsOf(spec), was = termsOf(old);
  if (was.length === 0) return errors;
  if (terms.length !== was.length) return [...errors, invalidValue(at, terms, "no additions/deletions to non-empty NodeSelectorTerms list are allowed")];
  return [...errors, ...terms.flatMap((term, index) => (addsOnly(term, was[index]!) ? [] : [invalidValue(`${at}[${index}]`, term, "only additions are allowed (no mutations or deletions)")]))];
}

const termsOf = ({ affinity }: Frozen<PodSpec>): readonly Frozen<NodeSelectorTerm>[] => affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];

/** An empty term selects no node, so anything added to it would widen the choice. */
function addsOnly(term: Frozen<NodeSelectorTerm>, { matchExpressions = [], matchFields = [] }: Frozen<NodeSelectorTerm>): boolean {
  const isEmpty = matchExpressions.length + matchFields.length === 0;
  if (isEmpty) return !term.matchExpressions?.length && !term.matchFields?.length;
  return startsWith(term.matchExpressions, matchExpressions) && startsWith(term.matchFields, matchFields);
}

const startsWith = (list: readonly Frozen<NodeSelectorRequirement>[] = [], start: readonly Frozen<NodeSelectorRequirement>[]): boolean => semanticEqual(list.slice(0, start.length), start);

/** Sets back what `validateNarrowing` answers for. */
export function levelNarrowing(spec: PodSpec, old: PodSpec): void {
  if (old.nodeSelector) spec.nodeSelector = old.nodeSelector;
  else delete spec.nodeSelector;
  const nodeAffinity = old.affinity?.nodeAffinity;
  if (nodeAffinity) spec.affinity = { ...spec.affinity, nodeAffinity };
  else delete spec.affinity?.nodeAffinity;
  if (!old.affinity && Object.keys(spec.affinity ?? {}).length === 0) delete spec.affinity;
}
