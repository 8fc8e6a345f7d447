import type { Frozen, KubeObject } from "../../../apimachinery/meta.ts";
import type { ScopedResourceSelectorRequirement } from "../../generated/core/v1.ts";
import type { Amounts } from "./amounts.ts";

export type ScopeSelector = Frozen<ScopedResourceSelectorRequirement>;

/** A write that may use quota. */
export interface QuotaRequest {
  operation: string;
  subresource: string;
  object: Frozen<KubeObject> | undefined;
  oldObject: Frozen<KubeObject> | undefined;
}

/** What one kind uses of a ResourceQuota. Source: kubernetes pkg/quota/v1/evaluator/core. */
export interface QuotaEvaluator {
  group: string;
  resource: string;
  /** Those names in a quota's `hard` that this kind is counted under. */
  matching(names: readonly string[]): string[];
  /** Whether such a write can use more. */
  handles(request: QuotaRequest): boolean;
  usage(object: Frozen<KubeObject>, now: number): Amounts;
  matchesScope(selector: ScopeSelector, object: Frozen<KubeObject>): boolean;
  /** What an object must state so that it can be counted; undefined when all is there. */
  missing?(names: readonly string[], object: Frozen<KubeObject>): string | undefined;
  /** Whether a change gave something back, or moved the object to other quotas; a deletion always does. */
  released(old: Frozen<KubeObject>, current: Frozen<KubeObject>, now: number): boolean;
}

/** The label-selector operators of a scope, asked of the value an object has for it. */
export function matchesValue({ operator, values = [] }: ScopeSelector, held: string | undefined): boolean {
  switch (operator) {
    case "In": return held !== undefined && values.includes(held);
    case "NotIn": return held === undefined || !values.includes(held);
    case "Exists": return held !== undefined;
    case "DoesNotExist": return held === undefined;
    default: return false;
  }
}
