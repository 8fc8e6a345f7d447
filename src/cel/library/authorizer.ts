import { nameIsDns1123Label, nameIsDns1123Subdomain } from "../../apimachinery/validation/names.ts";
import { func, method, type Library } from "../function.ts";
import { boolType, stringType, structType, type CelType } from "../type.ts";
import { CelError, Opaque, type Value } from "../values/value.ts";

export const authorizerType = structType("kubernetes.authorization.Authorizer");
const pathCheckType = structType("kubernetes.authorization.PathCheck");
const groupCheckType = structType("kubernetes.authorization.GroupCheck");
export const resourceCheckType = structType("kubernetes.authorization.ResourceCheck");
const decisionType = structType("kubernetes.authorization.Decision");

/** Whom `authorizer` asks. */
export interface AuthorizationChecks {
  checkResource(check: ResourceQuestion): Answer;
  checkPath(path: string, verb: string): Answer;
  /** The same questions, asked for a service account. */
  forServiceAccount(namespace: string, name: string): AuthorizationChecks;
}

export interface ResourceQuestion {
  verb: string;
  group: string;
  resource: string;
  subresource: string;
  namespace: string;
  name: string;
  fieldSelector: string;
  labelSelector: string;
}

export interface Answer {
  allowed: boolean;
  reason: string;
  error?: string;
}

/** One value of the chain `authorizer.group('').resource('pods').check('get')`. */
class Link<T> extends Opaque {
  constructor(readonly type: CelType, readonly data: T) {
    super();
  }
  equals(other: Link<T>): boolean {
    return this.data === other.data;
  }
}

interface GroupCheck { checks: AuthorizationChecks; group: string }
interface ResourceCheck { checks: AuthorizationChecks; question: Omit<ResourceQuestion, "verb"> }

/** The value of the variable `authorizer`. */
export const authorizerValue = (checks: AuthorizationChecks): Opaque => new Link(authorizerType, checks);

/** The value of `authorizer.requestResource`: the checks for what the request is about. */
export const requestResourceValue = (checks: AuthorizationChecks, request: Pick<ResourceQuestion, "group" | "resource" | "subresource" | "namespace" | "name">): Opaque =>
  new Link(resourceCheckType, { checks, question: { ...request, fieldSelector: "", labelSelector: "" } });

function serviceAccount({ data }: Link<AuthorizationChecks>, namespace: string, name: string): Value {
  if (nameIsDns1123Subdomain(name, false).length > 0) return new CelError("Invalid service account name");
  if (nameIsDns1123Label(namespace, false).length > 0) return new CelError("Invalid service account namespace");
  return authorizerValue(data.forServiceAccount(namespace, name));
}

function resource({ data: { checks, group } }: Link<GroupCheck>, name: string): Value {
  if (name.trim() === "") return new CelError("resource must not be empty");
  return new Link(resourceCheckType, { checks, question: { group, resource: name, subresource: "", namespace: "", name: "", fieldSelector: "", labelSelector: "" } });
}

const refine = (id: string, field: keyof ResourceCheck["question"]) => [
  method(id, [resourceCheckType, stringType], resourceCheckType, ({ data }: Link<ResourceCheck>, value: string) => new Link(resourceCheckType, { ...data, question: { ...data.question, [field]: value } })),
];
const decision = (answer: Answer): Value => new Link(decisionType, answer);
const path = ({ data: checks }: Link<AuthorizationChecks>, text: string): Value =>
  (text.trim() === "" ? new CelError("path must not be empty") : new Link(pathCheckType, { checks, path: text }));

export const authorizers: Library = {
  path: [method("authorizer_path", [authorizerType, stringType], pathCheckType, path)],
  group: [method("authorizer_group", [authorizerType, stringType], groupCheckType, ({ data: checks }: Link<AuthorizationChecks>, group: string) => new Link(groupCheckType, { checks, group }))],
  serviceAccount: [method("authorizer_serviceaccount", [authorizerType, stringType, stringType], authorizerType, serviceAccount)],
  resource: [method("groupcheck_resource", [groupCheckType, stringType], resourceCheckType, resource)],
  subresource: refine("resourcecheck_subresource", "subresource"),
  namespace: refine("resourcecheck_namespace", "namespace"),
  name: refine("resourcecheck_name", "name"),
  fieldSelector: refine("authorizer_fieldselector", "fieldSelector"),
  labelSelector: refine("authorizer_labelselector", "labelSelector"),
  check: [
    method("pathcheck_check", [pathCheckType, stringType], decisionType, ({ data }: Link<{ checks: AuthorizationChecks; path: string }>, verb: string) => decision(data.checks.checkPath(data.path, verb))),
    method("resourcecheck_check", [resourceCheckType, stringType], decisionType, ({ data }: Link<ResourceCheck>, verb: string) => decision(data.checks.checkResource({ ...data.question, verb }))),
  ],
  errored: [method("decision_errored", [decisionType], boolType, ({ data }: Link<Answer>) => data.error !== undefined)],
  error: [method("decision_error", [decisionType], stringType, ({ data }: Link<Answer>) => data.error ?? "")],
  allowed: [method("decision_allowed", [decisionType], boolType, ({ data }: Link<Answer>) => data.allowed)],
  reason: [method("decision_reason", [decisionType], stringType, ({ data }: Link<Answer>) => data.reason)],
};

/** For expressions that make JSON patches. */
export const jsonPatches: Library = {
  "jsonpatch.escapeKey": [func("string_jsonpatch_escapeKey_string", [stringType], stringType, (key: string) => key.replaceAll("~", "~0").replaceAll("/", "~1"))],
};
