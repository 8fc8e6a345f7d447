import { semanticEqual } from "../../apimachinery/equality.ts";
import { forbiddenField, invalidValue, notSupported, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { dns1123LabelErrors } from "../../apimachinery/validation/names.ts";
import { dnsLabel, dnsSubdomain } from "../core/field-rules.ts";
import type { FlowSchema, NonResourcePolicyRule, PolicyRulesWithSubjects, ResourcePolicyRule, Subject } from "../generated/flowcontrol/v1.ts";
import { mandatory } from "./bootstrap.ts";
import { validateConditionTypes } from "./condition-types.ts";
import { shownFlowSchemaSpec } from "./shown.ts";

/** Source: pkg/apis/flowcontrol/validation. */

const lastPrecedence = 10_000;
const distinguishers = ["ByNamespace", "ByUser"], subjectKinds = ["Group", "ServiceAccount", "User"];
const verbNames = ["create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"];

export function validateFlowSchema({ metadata: { name = "" }, spec, status }: Frozen<FlowSchema>): FieldError[] {
  const { matchingPrecedence: precedence = 0, distinguisherMethod: method, priorityLevelConfiguration: level, rules = [] } = spec;
  const wrong = (message: string): FieldError => invalidValue("spec.matchingPrecedence", precedence, message);
  const fixed = mandatory.flowSchemas.find(({ metadata }) => metadata.name === name);
  return [
    ...(precedence <= 0 ? [wrong("must be a positive value")] : []),
    ...(precedence > lastPrecedence ? [wrong(`must not be greater than ${lastPrecedence}`)] : []),
    ...(precedence === 1 && name !== "exempt" ? [wrong("only the schema named 'exempt' may have matchingPrecedence 1")] : []),
    ...(method && !distinguishers.includes(method.type) ? [notSupported("spec.distinguisherMethod.type", { Type: method.type ?? "" }, distinguishers)] : []),
    ...(level?.name ? dnsSubdomain("spec.priorityLevelConfiguration.name", level.name) : [required("spec.priorityLevelConfiguration.name", "must reference a priority level")]),
    ...rules.flatMap((rule, index) => validateRule(`spec.rules[${index}]`, rule)),
    ...(fixed && !semanticEqual(spec, fixed.spec) ? [invalidValue("spec", shownFlowSchemaSpec(spec), `spec of '${name}' must equal the fixed value`)] : []),
    ...validateConditionTypes(status?.conditions),
  ];
}

function validateRule(field: string, { subjects, resourceRules = [], nonResourceRules = [] }: Frozen<PolicyRulesWithSubjects>): FieldError[] {
  return [
    ...(subjects?.length ? subjects.flatMap((subject, index) => validateSubject(`${field}.subjects[${index}]`, subject)) : [required(`${field}.subjects`, "subjects must contain at least one value")]),
    ...(resourceRules.length === 0 && nonResourceRules.length === 0 ? [required(field, "at least one of resourceRules and nonResourceRules has to be non-empty")] : []),
    ...resourceRules.flatMap((rule, index) => validateResourceRule(`${field}.resourceRules[${index}]`, rule)),
    ...nonResourceRules.flatMap((rule, index) => validateNonResourceRule(`${field}.nonResourceRules[${index}]`, rule)),
  ];
}

const subjectFields = { ServiceAccount: "serviceAccount", User: "user", Group: "group" } as const;

function validateSubject(field: string, subject: Frozen<Subject>): FieldError[] {
  const { kind = "" } = subject;
  if (!subjectKinds.includes(kind)) return [notSupported(`${field}.kind`, kind, subjectKinds)];
  const own = subjectFields[kind as keyof typeof subjectFields];
  const others = Object.entries(subjectFields).filter(([other, name]) => other !== kind && subject[name] !== undefined);
  return [
    ...(subject[own] ? validateNamed(`${field}.${own}`, subject) : [required(`${field}.${own}`, `${own} is required when subject kind is '${kind}'`)]),
    ...others.map(([other, name]) => forbiddenField(`${field}.${name}`, `${name} is forbidden when subject kind is not '${other}'`)),
  ];
}

function validateNamed(field: string, { kind, serviceAccount, user, group }: Frozen<Subject>): FieldError[] {
  if (kind !== "ServiceAccount") return (kind === "User" ? user : group)?.name ? [] : [required(`${field}.name`)];
  const { name, namespace } = serviceAccount!;
  return [
    ...(name ? (name === "*" ? [] : dnsSubdomain(`${field}.name`, name)) : [required(`${field}.name`)]),
    ...(namespace ? dnsLabel(`${field}.namespace`, namespace) : [required(`${field}.namespace`, "must specify namespace for service account")]),
  ];
}

function validateVerbs(field: string, verbs: readonly string[] = []): FieldError[] {
  if (verbs.length === 0) return [required(field, "verbs must contain at least one value")];
  if (verbs.includes("*")) return verbs.length > 1 ? [invalidValue(field, verbs, "if '*' is present, must not specify other verbs")] : [];
  return verbs.every((verb) => verbNames.includes(verb)) ? [] : [notSupported(field, verbs, verbNames)];
}

function validateResourceRule(field: string, { verbs, apiGroups = [], resources = [], clusterScope, namespaces = [] }: Frozen<ResourcePolicyRule>): FieldError[] {
  const alone = (name: string, values: readonly string[], one: string, others: string): FieldError[] => {
    if (values.length === 0) return [required(`${field}.${name}`, `resource rules must supply at least one ${one}`)];
    return values.length > 1 && values.includes("*") ? [invalidValue(`${field}.${name}`, values, `if '*' is present, must not specify other ${others}`)] : [];
  };
  return [
    ...validateVerbs(`${field}.verbs`, verbs),
    ...alone("apiGroups", apiGroups, "api group", "api groups"),
    ...alone("resources", resources, "resource", "resources"),
    ...validateNamespaces(`${field}.namespaces`, namespaces, clusterScope ?? false),
  ];
}

function validateNamespaces(field: string, namespaces: readonly string[], clusterScope: boolean): FieldError[] {
  if (namespaces.length === 0) return clusterScope ? [] : [required(field, "resource rules that are not cluster scoped must supply at least one namespace")];
  if (namespaces.includes("*")) return namespaces.length > 1 ? [invalidValue(field, namespaces, "if '*' is present, must not specify other namespaces")] : [];
  return namespaces.flatMap((namespace, index) => dns1123LabelErrors(namespace).map((message) => invalidValue(`${field}[${index}]`, namespace, `each member of this list must be '*' or a DNS-1123 label; ${message}`)));
}

function validateNonResourceRule(field: string, { verbs, nonResourceURLs: paths = [] }: Frozen<NonResourcePolicyRule>): FieldError[] {
  const errors = validateVerbs(`${field}.verbs`, verbs), at = `${field}.nonResourceURLs`;
  if (paths.length === 0) return [...errors, required(at, "nonResourceURLs must contain at least one value")];
  if (paths.includes("*")) return paths.length > 1 ? [...errors, invalidValue(at, paths, "if '*' is present, must not specify other non-resource URLs")] : errors;
  return [...errors, ...paths.flatMap((path, index) => pathProblem(path).map((message) => invalidValue(`${at}[${index}]`, path, message)))];
}

function pathProblem(path: string): string[] {
  if (path === "") return ["must not be empty"];
  if (path === "/") return [];
  if (!path.startsWith("/")) return ["must start with slash"];
  if (path.includes(" ")) return ["must not contain white-space"];
  if (path.includes("//")) return ["must not contain double slash"];
  const star = path.indexOf("*");
  return star < 0 || (star === path.length - 1 && path.endsWith("/*")) ? [] : ["wildcard can only do suffix matching"];
}
