import type { KubeObject } from "../apimachinery/meta.ts";
import { formatTime } from "../apimachinery/time.ts";
import type { SelfSubjectReview } from "../apis/generated/authentication/v1.ts";
import { parseFieldSelector } from "../apimachinery/selectors/fields.ts";
import type { FieldSelectorAttributes, SubjectAccessReview, SubjectAccessReviewSpec } from "../apis/generated/authorization/v1.ts";
import type { Authorizer, Decision, RequestContext, UserInfo } from "./attributes.ts";
import type { WriteRequest } from "./registry.ts";

/** Answers a POST of a kind that is not stored; the card's own validation has passed. Keyed by `resource.group` in the registry's dependencies. */
export type Review = (context: RequestContext, object: KubeObject, options?: WriteRequest) => KubeObject | Promise<KubeObject>;
export type Reviews = Readonly<Record<string, Review>>;

/** The access reviews, and who-am-I. Source: kubernetes pkg/registry/authorization. */
export function accessReviews({ authorizer }: { authorizer: Authorizer }): Reviews {
  const decideFor = (object: KubeObject, user: UserInfo): KubeObject => {
    const review = object as SubjectAccessReview;
    const { allowed, reason } = decide(authorizer, user, review.spec);
    return { ...review, status: { allowed, ...(reason ? { reason } : {}) } } as KubeObject;
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

function decide(authorizer: Authorizer, user: UserInfo, { resourceAttributes: resource, nonResourceAttributes: path }: SubjectAccessReviewSpec): Decision {
  if (path) return authorizer.authorizePath({ user, verb: path.verb ?? "", path: path.path ?? "" });
  const { verb = "", group = "", version = "", resource: plural = "", subresource = "", namespace = "", name = "", fieldSelector } = resource!;
  const selector = selectorText(fieldSelector);
  return authorizer.authorize({ user, verb, group, version, resource: plural, subresource, namespace, name, ...(selector ? { fieldSelector: selector } : {}) });
}

/** The selector as a request would send it. What can't be said so narrows nothing, as in Kubernetes. */
function selectorText(selector: FieldSelectorAttributes | undefined): string | undefined {
  if (selector?.rawSelector) return isFieldSelector(selector.rawSelector) ? selector.rawSelector : undefined;
  const terms = (selector?.requirements ?? []).flatMap(({ key, operator, values = [] }) => (values.length === 1 && (operator === "In" || operator === "NotIn") ? [`${key}${operator === "In" ? "=" : "!="}${values[0]}`] : []));
  const text = terms.join(",");
  return text && isFieldSelector(text) ? text : undefined;
}

function isFieldSelector(text: string): boolean {
  try {
    parseFieldSelector(text);
    return true;
  } catch {
    return false;
  }
}

function subjectOf(object: KubeObject): UserInfo {
  const { user = "", uid, groups = [], extra } = (object as SubjectAccessReview).spec;
  return { name: user, uid, groups, extra };
}
