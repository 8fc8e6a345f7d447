import type { Frozen } from "../../apimachinery/meta.ts";
import type { PolicyRule } from "../../apis/generated/rbac/v1.ts";
import type { PathAttributes, ResourceAttributes } from "../../registry/attributes.ts";

const has = (list: readonly string[] | undefined, value: string): boolean => list !== undefined && (list.includes(value) || list.includes("*"));

/** Whether one rule allows a request. Source: k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac RuleAllows. */
export function ruleAllows(rule: Frozen<PolicyRule>, { verb, group, resource, subresource, name }: ResourceAttributes): boolean {
  return has(rule.verbs, verb) && has(rule.apiGroups, group) && allowsResource(rule.resources, resource, subresource)
    && (!rule.resourceNames?.length || rule.resourceNames.includes(name));
}

function allowsResource(resources: readonly string[] | undefined, resource: string, subresource: string): boolean {
  if (!resources) return false;
  const wanted = subresource ? `${resource}/${subresource}` : resource;
  return resources.includes(wanted) || resources.includes("*") || (subresource !== "" && resources.includes(`*/${subresource}`));
}

/** `/healthz`, `/healthz/*` and `*`; the star stands for any rest. */
export function ruleAllowsPath(rule: Frozen<PolicyRule>, { verb, path }: PathAttributes): boolean {
  return has(rule.verbs, verb) && (rule.nonResourceURLs ?? []).some((url) => url === path || (url.endsWith("*") && path.startsWith(url.slice(0, -1))));
}
