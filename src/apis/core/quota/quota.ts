import type { Frozen, KubeObject } from "../../../apimachinery/meta.ts";
import type { ResourceQuota, ResourceQuotaSpec } from "../../generated/core/v1.ts";
import { add, countOf, only, zeros, type Amounts } from "./amounts.ts";
import type { QuotaEvaluator, ScopeSelector } from "./evaluator.ts";
import { claimQuota } from "./persistentvolumeclaims.ts";
import { podQuota } from "./pods.ts";
import { deviceClaimQuota } from "./resourceclaims.ts";
import { serviceQuota } from "./services.ts";

const special: readonly QuotaEvaluator[] = [podQuota, serviceQuota, claimQuota, deviceClaimQuota];

/** Counted under their plain name too, as before `count/` was there. */
const classicNames = new Set(["configmaps", "resourcequotas", "replicationcontrollers", "secrets"]);
/** Never limited (kubernetes pkg/quota/v1/install DefaultIgnoredResources, and what is not stored). */
const ignored = new Set(["events", "events.events.k8s.io", "bindings", "componentstatuses"]);

const counting = new Map<string, QuotaEvaluator>();

/** How a namespaced kind is counted; undefined for those that never are. */
export function evaluatorOf({ group, resource }: { group: string; resource: string }): QuotaEvaluator | undefined {
  const name = group ? `${resource}.${group}` : resource;
  if (ignored.has(name)) return undefined;
  const found = special.find((each) => each.group === group && each.resource === resource) ?? counting.get(name);
  if (found) return found;
  const counted = objectCount(group, resource, name);
  counting.set(name, counted);
  return counted;
}

/** `count/<resource>.<group>`. */
function objectCount(group: string, resource: string, name: string): QuotaEvaluator {
  const names = [`count/${name}`, ...(group === "" && classicNames.has(resource) ? [resource] : [])];
  const usage: Amounts = new Map(names.map((each) => [each, countOf(1)]));
  return {
    group, resource,
    matching: (asked) => asked.filter((each) => names.includes(each)),
    handles: ({ operation, subresource }) => operation === "CREATE" && subresource === "",
    usage: () => usage,
    matchesScope: () => false,
    released: () => false,
  };
}

/** A quota's scopes, and its scope selector, as one list: an object must match all. */
export function scopesOf({ scopes = [], scopeSelector }: Frozen<ResourceQuotaSpec> = {}): ScopeSelector[] {
  return [...scopes.map((scopeName) => ({ scopeName, operator: "Exists" as const })), ...scopeSelector?.matchExpressions ?? []];
}

export const inScope = (evaluator: QuotaEvaluator, spec: Frozen<ResourceQuotaSpec> | undefined, object: Frozen<KubeObject>): boolean =>
  scopesOf(spec).every((scope) => evaluator.matchesScope(scope, object));

/** What the objects of a namespace use of a quota's hard limits. Limits of kinds that `resources` does not list are left out. */
export function usageOfNamespace(quota: Frozen<ResourceQuota>, resources: readonly { group: string; resource: string }[], list: (of: { group: string; resource: string }) => readonly Frozen<KubeObject>[], now: number): Amounts {
  const names = Object.keys(quota.spec?.hard ?? {});
  let used: Amounts = new Map();
  for (const of of resources) {
    const evaluator = evaluatorOf(of);
    const matching = evaluator?.matching(names) ?? [];
    if (!evaluator || matching.length === 0) continue;
    let sum = zeros(matching);
    for (const object of list(of)) if (inScope(evaluator, quota.spec, object)) sum = add(sum, only(evaluator.usage(object, now), new Set(matching)));
    used = add(used, sum);
  }
  return used;
}
