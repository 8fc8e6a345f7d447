import { expect, test } from "bun:test";
import type { ResourceAttributes as Spec } from "../apis/generated/authorization/v1.ts";
import type { Authorizer, ResourceAttributes } from "./attributes.ts";
import { accessReviews } from "./reviews.ts";

/** The texts are those of kube-apiserver 1.36.3 for the same reviews. */
test.each<[string, Partial<Spec>, string | undefined, string | undefined]>([
  ["no selector", {}, undefined, undefined],
  ["a raw one", { fieldSelector: { rawSelector: "spec.nodeName=n1" } }, "spec.nodeName=n1", undefined],
  ["a raw one that can't be read", { fieldSelector: { rawSelector: "foo" } }, undefined, "spec.resourceAttributes.fieldSelector ignored due to parse error"],
  ["requirements", { fieldSelector: { requirements: [{ key: "a", operator: "In", values: ["b,c"] }, { key: "d", operator: "NotIn", values: ["e"] }] } }, "a=b\\,c,d!=e", undefined],
  ["several values", { fieldSelector: { requirements: [{ key: "a", operator: "In", values: ["b", "c"] }] } }, undefined, "spec.resourceAttributes.fieldSelector ignored due to parse error"],
  ["an operator of nobody's", { fieldSelector: { requirements: [{ key: "a", operator: "Foo" }] } }, undefined, "spec.resourceAttributes.fieldSelector ignored due to parse error"],
  ["some that can be read", { fieldSelector: { requirements: [{ key: "a", operator: "Exists" }, { key: "d", operator: "In", values: ["e"] }] } }, "d=e", "spec.resourceAttributes.fieldSelector partially ignored due to parse error"],
  ["labels that can't be read", { labelSelector: { rawSelector: "a in (" } }, undefined, "spec.resourceAttributes.labelSelector ignored due to parse error"],
  ["both", { fieldSelector: { rawSelector: "foo" }, labelSelector: { requirements: [{ key: "a", operator: "Exists" }, { key: "a", operator: "Foo" }] } }, undefined, "spec.resourceAttributes.fieldSelector ignored due to parse error; spec.resourceAttributes.labelSelector partially ignored due to parse error"],
])("a review with %s", async (_, selectors, fieldSelector, evaluationError) => {
  const asked: ResourceAttributes[] = [];
  const authorizer: Authorizer = {
    authorize: (attributes) => {
      asked.push(attributes);
      return { allowed: true, reason: "" };
    },
    authorizePath: () => ({ allowed: false, reason: "" }),
  };
  const review = { apiVersion: "authorization.k8s.io/v1", kind: "SubjectAccessReview", metadata: {}, spec: { user: "bob", resourceAttributes: { verb: "list", resource: "pods", ...selectors } } };
  const answer = await accessReviews({ authorizer })["subjectaccessreviews.authorization.k8s.io"]!({ user: { name: "admin", groups: [] }, warn: () => undefined }, review as never);
  expect(asked).toMatchObject([{ user: { name: "bob" }, version: "*", resource: "pods" }]);
  expect(asked[0]!.fieldSelector).toBe(fieldSelector);
  expect((answer as { status?: object }).status).toEqual({ allowed: true, ...(evaluationError ? { evaluationError } : {}) });
});
