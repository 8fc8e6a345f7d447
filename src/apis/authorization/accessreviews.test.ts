import { expect, test } from "bun:test";
import { render } from "../../apimachinery/field-errors.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import { localsubjectaccessreviews, selfsubjectaccessreviews, subjectaccessreviews } from "./accessreviews.ts";

const resourceAttributes = { verb: "get", resource: "pods", namespace: "a" };

test.each([
  ["a question", selfsubjectaccessreviews, { spec: { resourceAttributes } }, []],
  ["no question", selfsubjectaccessreviews, {}, ["spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified"]],
  ["two questions", selfsubjectaccessreviews, { spec: { resourceAttributes, nonResourceAttributes: { path: "/" } } }, ["spec.nonResourceAttributes: Invalid value: {\"Path\":\"/\",\"Verb\":\"\"}: cannot be specified in combination with resourceAttributes"]],
  ["about nobody", subjectaccessreviews, { spec: { resourceAttributes } }, ["spec.user: Invalid value: \"\": at least one of user or group must be specified"]],
  ["about a group", subjectaccessreviews, { spec: { resourceAttributes, groups: ["ops"] } }, []],
  ["of another namespace", localsubjectaccessreviews, { metadata: { namespace: "b" }, spec: { resourceAttributes, user: "jane" } }, ["spec.resourceAttributes.namespace: Invalid value: \"a\": must match metadata.namespace"]],
] as [string, AnyResource, object, string[]][])("%s", (_, card, fields, expected) => {
  expect(card.strategy.validate!({ metadata: {}, ...fields }).map(render)).toEqual(expected);
});
