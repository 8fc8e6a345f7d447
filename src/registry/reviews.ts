import type { KubeObject } from "../apimachinery/meta.ts";
import { formatTime } from "../apimachinery/time.ts";
import type { SelfSubjectReview } from "../apis/generated/authentication/v1.ts";
import { parseFieldSelector } from "../apimachinery/selectors/fields.ts";
import { parseLabelSelector } from "../apimachinery/selectors/labels.ts";
import type { SubjectAccessReview, SubjectAccessReviewSpec } from "../apis/generated/authorization/v1.ts";
import type { Authorizer, Decision, RequestContext, UserInfo } from "./attributes.ts";
import type { WriteRequest } from "./registry.ts";

/** Answers a POST of a kind that is not stored; the card's own validation has passed. Keyed by `resource.group` in the registry's dependencies. */
export type Review = (context: RequestContext, object: KubeObject, options?: WriteRequest) => KubeObject | Promise<KubeObject>;
export type Reviews = Readonly<Record<string, Review>>;

/** The access reviews, and who-am-I. Source: kubernetes pkg/registry/authorization. */
export function accessReviews({ authorizer }: { authorizer: Authorizer }): Reviews {
  const decideFor = (object: KubeObject, user: UserInfo): KubeObject => {
    const review = object as SubjectAccessReview;
    const { allowed, reason, evaluationError } = decide(authorizer, user, review.spec);
    return { ...review, status: { allowed, ...(reason ? { reason } : {}), ...(evaluationError ? { evaluationError } : {}) } } as KubeObject;
  };
  return {
    "selfsubjectaccessreviews.authorization.k8s.io": ({ user }, object) => decideFor(object, user),
    "subjectaccessreviews.authorization.k8s.io": (_, object) => decideFor(object, subjectOf(object)),
    "localsubjectaccessreviews.authorization.k8s.io": (_, object) => decideFor(object, subjectOf(object)),
    "selfsubjectreviews.authentication.k8s.io": ({ user }, object) => ({
      ...object, metadata: { creationTimestamp: formatTime(Date.now()) },
      status: { userInfo: { username: user.name, uid: user.uid, groups: [...user.groups], extra: user.extra && Object.fromEntries(Object.entries(user.extra).map(([key, values]) => [key, [...values]])) } },
    }) satisfies SelfSubjectReview,
  };
}

function decide(authorizer: Authorizer, user: UserInfo, { resourceAttributes: resource, nonResourceAttributes: path }: SubjectAccessReviewSpec): Decision & { evaluationError?: string } {
  if (path) return authorizer.authorizePath({ user, verb: path.verb ?? "", path: path.path ?? "" });
  const { verb = "", group = "", version, resource: plural = "", subresource = "", namespace = "", name = "", fieldSelector, labelSelector } = resource!;
  const fields = read(fieldSelector, isFieldSelector, fieldTerm), labels = read(labelSelector, isLabelSelector, labelTerm);
  const evaluationError = [...ignored("fieldSelector", fields), ...ignored("labelSelector", labels)].join("; ");
  const decision = authorizer.authorize({ user, verb, group, version: version || "*", resource: plural, subresource, namespace, name, ...(fields.text ? { fieldSelector: fields.text } : {}) });
  return { ...decision, ...(evaluationError ? { evaluationError } : {}) };
}

/** A selector as a request would send it, without what can't be read or said so: that narrows nothing, as in Kubernetes. */
interface SelectorText {
  text: string;
  /** Something was left out. */
  faulty: boolean;
}

interface Requirement {
  key: string;
  operator: string;
  values?: readonly string[];
}

function read(selector: { rawSelector?: string; requirements?: readonly Requirement[] } | undefined, isGood: (text: string) => boolean, termOf: (requirement: Requirement) => string | undefined): SelectorText {
  const { rawSelector, requirements = [] } = selector ?? {};
  if (rawSelector) return isGood(rawSelector) ? { text: rawSelector, faulty: false } : { text: "", faulty: true };
  const terms = requirements.map(termOf).filter((term) => term !== undefined && isGood(term));
  return { text: terms.join(","), faulty: terms.length < requirements.length };
}

const ignored = (name: string, { text, faulty }: SelectorText): string[] => (faulty ? [`spec.resourceAttributes.${name} ${text ? "partially " : ""}ignored due to parse error`] : []);

const fieldOperators: Readonly<Record<string, string>> = { In: "=", NotIn: "!=" };
const fieldTerm = ({ key, operator, values = [] }: Requirement): string | undefined =>
  (values.length === 1 && Object.hasOwn(fieldOperators, operator) ? `${key}${fieldOperators[operator]}${values[0]!.replace(/[\\,=]/g, "\\$&")}` : undefined);

function labelTerm({ key, operator, values = [] }: Requirement): string | undefined {
  switch (operator) {
    case "In": return `${key} in (${values.join(",")})`;
    case "NotIn": return `${key} notin (${values.join(",")})`;
    case "Exists": return key;
    case "DoesNotExist": return `!${key}`;
    default: return undefined;
  }
}

const parses = (parse: (text: string) => unknown) => (text: string): boolean => {
  try {
    parse(text);
    return true;
  } catch {
    return false;
  }
};
const isFieldSelector = parses(parseFieldSelector), isLabelSelector = parses(parseLabelSelector);

function subjectOf(object: KubeObject): UserInfo {
  const { user = "", uid, groups = [], extra } = (object as SubjectAccessReview).spec;
  return { name: user, uid, groups, extra };
}
