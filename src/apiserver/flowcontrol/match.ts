import type { Frozen } from "../../apimachinery/meta.ts";
import type { FlowSchema, NonResourcePolicyRule, ResourcePolicyRule, Subject } from "../../apis/generated/flowcontrol/v1.ts";
import type { UserInfo } from "../../registry/attributes.ts";
import type { RequestInfo } from "../request-info.ts";

/** Whether a FlowSchema is for a request. Source: k8s.io/apiserver/pkg/util/flowcontrol/rule.go. */
export function matchesFlowSchema({ spec: { rules = [] } }: Frozen<FlowSchema>, user: UserInfo, info: RequestInfo): boolean {
  return rules.some(({ subjects, resourceRules = [], nonResourceRules = [] }) =>
    (info.isResource ? resourceRules.some((rule) => matchesResource(rule, info)) : nonResourceRules.some((rule) => matchesPath(rule, info))) && subjects.some((subject) => matchesSubject(subject, user)));
}

const any = "*";
const includes = (wanted: readonly string[], value: string): boolean => wanted.includes(any) || wanted.includes(value);

function matchesSubject({ kind, user: wanted, group, serviceAccount }: Frozen<Subject>, user: UserInfo): boolean {
  if (kind === "User") return wanted !== undefined && (wanted.name === any || wanted.name === user.name);
  if (kind === "Group") return group !== undefined && (group.name === any || user.groups.includes(group.name));
  if (!serviceAccount) return false;
  const { namespace, name } = serviceAccount;
  return name === any ? user.name.startsWith(`system:serviceaccount:${namespace}:`) : user.name === `system:serviceaccount:${namespace}:${name}`;
}

function matchesResource({ verbs, apiGroups, resources, clusterScope = false, namespaces = [] }: Frozen<ResourcePolicyRule>, info: RequestInfo): boolean {
  if (!includes(verbs, info.verb) || !includes(apiGroups, info.group)) return false;
  if (!includes(resources, info.subresource ? `${info.resource}/${info.subresource}` : info.resource)) return false;
  return info.namespace === "" ? clusterScope : includes(namespaces, info.namespace);
}

function matchesPath({ verbs, nonResourceURLs }: Frozen<NonResourcePolicyRule>, info: RequestInfo): boolean {
  return includes(verbs, info.verb) && nonResourceURLs.some((url) => url === any || url === info.path || (url.endsWith("/*") && info.path.startsWith(url.slice(0, -1))));
}

/** What tells one flow of a FlowSchema from another. */
export function distinguisherOf({ spec: { distinguisherMethod } }: Frozen<FlowSchema>, user: UserInfo, info: RequestInfo): string {
  if (distinguisherMethod?.type === "ByUser") return user.name;
  return distinguisherMethod?.type === "ByNamespace" ? info.namespace : "";
}
