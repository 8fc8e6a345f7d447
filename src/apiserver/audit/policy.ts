import type { UserInfo } from "../../registry/attributes.ts";
import type { RequestInfo } from "../request-info.ts";

export type Level = "None" | "Metadata" | "Request" | "RequestResponse";
export type Stage = "RequestReceived" | "ResponseStarted" | "ResponseComplete" | "Panic";

interface GroupResources {
  group?: string;
  resources?: string[];
  resourceNames?: string[];
}

/** audit.k8s.io/v1 PolicyRule. */
interface PolicyRule {
  level: Level;
  users?: string[];
  userGroups?: string[];
  verbs?: string[];
  resources?: GroupResources[];
  namespaces?: string[];
  nonResourceURLs?: string[];
  omitStages?: Stage[];
  omitManagedFields?: boolean;
}

/** audit.k8s.io/v1 Policy: what is recorded of which requests. The first rule that matches counts. */
export interface AuditPolicy {
  rules: PolicyRule[];
  omitStages?: Stage[];
  omitManagedFields?: boolean;
}

export interface Verdict {
  level: Level;
  omitStages: ReadonlySet<Stage>;
  omitManagedFields: boolean;
}

const levels: readonly unknown[] = ["None", "Metadata", "Request", "RequestResponse"];
const stages: readonly unknown[] = ["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"];
const lists = ["users", "userGroups", "verbs", "namespaces", "nonResourceURLs"] as const;

export const includes = (level: Level, wanted: Level): boolean => levels.indexOf(level) >= levels.indexOf(wanted);

/** Checks what was read from a policy file. Throws an Error that says what is wrong, for whoever wrote it. */
export function checkPolicy(value: unknown): AuditPolicy {
  const policy = (typeof value === "object" && value !== null ? value : {}) as AuditPolicy & { kind?: string; apiVersion?: string };
  if (policy.apiVersion !== "audit.k8s.io/v1" || policy.kind !== "Policy") throw new Error('it must have apiVersion "audit.k8s.io/v1" and kind "Policy"');
  if (!Array.isArray(policy.rules) || policy.rules.length === 0) throw new Error("rules must not be empty");
  checkStages("omitStages", policy.omitStages);
  policy.rules.forEach((rule, index) => {
    const path = `rules[${index}]`;
    if (!levels.includes(rule.level)) throw new Error(`${path}.level must be one of ${levels.join(", ")}`);
    for (const field of lists) if (rule[field] !== undefined && !isStrings(rule[field])) throw new Error(`${path}.${field} must be a list of strings`);
    if (rule.resources !== undefined && !Array.isArray(rule.resources)) throw new Error(`${path}.resources must be a list`);
    for (const { resources = [], resourceNames = [] } of rule.resources ?? []) {
      if (!isStrings(resources) || !isStrings(resourceNames)) throw new Error(`${path}.resources must name resources and resourceNames as lists of strings`);
      if (resourceNames.length && !resources.length) throw new Error(`${path}.resources: resourceNames must come with resources`);
    }
    if (rule.nonResourceURLs?.length && (rule.resources?.length || rule.namespaces?.length)) throw new Error(`${path} may not name nonResourceURLs beside resources or namespaces`);
    checkStages(`${path}.omitStages`, rule.omitStages);
  });
  return policy;
}

const isStrings = (value: unknown): boolean => Array.isArray(value) && value.every((each) => typeof each === "string");

function checkStages(path: string, value: unknown): void {
  if (value !== undefined && !(Array.isArray(value) && value.every((stage) => stages.includes(stage)))) throw new Error(`${path} must be of ${stages.join(", ")}`);
}

/** What a policy says of a request. Source: k8s.io/apiserver/pkg/audit/policy/checker.go. */
export function evaluate(policy: AuditPolicy, user: UserInfo, info: RequestInfo): Verdict {
  const rule = policy.rules.find((each) => matches(each, user, info));
  if (!rule) return { level: "None", omitStages: new Set(), omitManagedFields: false };
  return {
    level: rule.level, omitStages: new Set([...policy.omitStages ?? [], ...rule.omitStages ?? []]), omitManagedFields: rule.omitManagedFields ?? policy.omitManagedFields ?? false,
  };
}

function matches({ users, userGroups, verbs, resources, namespaces, nonResourceURLs }: PolicyRule, user: UserInfo, info: RequestInfo): boolean {
  if (users?.length && !users.includes(user.name)) return false;
  if (userGroups?.length && !user.groups.some((group) => userGroups.includes(group))) return false;
  if (verbs?.length && !verbs.includes(info.verb)) return false;
  if (namespaces?.length || resources?.length) {
    if (!info.isResource || (namespaces?.length && !namespaces.includes(info.namespace))) return false;
    return !resources?.length || resources.some((each) => resourceMatches(each, info));
  }
  return nonResourceURLs?.length ? !info.isResource && nonResourceURLs.some((spec) => pathMatches(info.path, spec)) : true;
}

function resourceMatches({ group = "", resources = [], resourceNames = [] }: GroupResources, info: RequestInfo): boolean {
  if (group !== info.group && group !== "*") return false;
  if (resources.length === 0) return true;
  if (resourceNames.length > 0 && !resourceNames.includes(info.name)) return false;
  const combined = info.subresource ? `${info.resource}/${info.subresource}` : info.resource;
  return resources.some((wanted) => wanted === "*" || wanted === combined || (info.subresource !== "" && wanted === `*/${info.subresource}`) || wanted === `${info.resource}/*`);
}

const pathMatches = (path: string, spec: string): boolean => spec === "*" || spec === path || (spec.endsWith("*") && path.startsWith(spec.replace(/\*+$/, "")));
