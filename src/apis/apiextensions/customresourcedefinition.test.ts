import { expect, test } from "bun:test";
import { render } from "../../apimachinery/field-errors.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import { made, type Change } from "../testing/made.ts";
import { customresourcedefinitions } from "./customresourcedefinition.ts";

test.each([
  ["a definition", customresourcedefinitions, () => undefined, []],
  ["another name", customresourcedefinitions, (o) => { o.metadata.name = "other"; }, ["metadata.name: Invalid value: \"other\": must be spec.names.plural+\".\"+spec.group"]],
  ["no schema", customresourcedefinitions, (o) => { delete o.spec.versions[0].schema; }, ["spec.versions[0].schema.openAPIV3Schema: Required value"]],
  ["no versions", customresourcedefinitions, (o) => { o.spec.versions = []; }, ["spec.versions: Invalid value: null: must have exactly one version marked as storage version", "status.storedVersions: Invalid value: null: must have at least one stored version"]],
  ["names", customresourcedefinitions, (o) => { o.spec.names = { plural: "example", singular: "A", kind: "B", listKind: "B", shortNames: ["1"] }; }, ["spec.names.singular: Invalid value: \"A\": a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')", "spec.names.shortNames[0]: Invalid value: \"1\": a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')", "spec.names.listKind: Invalid value: \"B\": kind and listKind may not be the same"]],
  ["a group without a dot", customresourcedefinitions, (o) => { o.spec.group = "x"; o.metadata.name = "example.x"; }, ["spec.group: Invalid value: \"x\": should be a domain with at least one dot"]],
  ["a protected group", customresourcedefinitions, (o) => { o.spec.group = "x.k8s.io"; o.metadata.name = "example.x.k8s.io"; }, ["metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval annotation \"api-approved.kubernetes.io\", see https://github.com/kubernetes/enhancements/pull/1111"]],
  ["columns", customresourcedefinitions, (o) => { o.spec.versions[0].additionalPrinterColumns = [{ type: "x", jsonPath: "y" }]; }, ["spec.additionalPrinterColumns[0].name: Required value", "spec.additionalPrinterColumns[0].type: Invalid value: \"x\": must be one of boolean,date,integer,number,string", "spec.additionalPrinterColumns[0].JSONPath: Invalid value: \"y\": must be a simple json path starting with ."]],
  ["scale", customresourcedefinitions, (o) => { o.spec.versions[0].subresources = { scale: { specReplicasPath: ".status.x", statusReplicasPath: "x" } }; }, ["spec.subresources.scale.specReplicasPath: Invalid value: \".status.x\": should be a json path under .spec", "spec.subresources.scale.statusReplicasPath: Invalid value: \"x\": must be a simple json path starting with ."]],
  ["selectable fields", customresourcedefinitions, (o) => { o.spec.versions[0].selectableFields = [{ jsonPath: ".spec.x" }, { jsonPath: ".spec[0]" }]; }, ["spec.selectableFields[0].jsonPath: Invalid value: \".spec.x\": is an invalid path: does not refer to a valid field", "spec.selectableFields[1].jsonPath: Invalid value: \".spec[0]\": is an invalid path: does not refer to a valid field"]],
  ["conversion", customresourcedefinitions, (o) => { o.spec.conversion = { strategy: "Webhook", webhook: { conversionReviewVersions: ["v3"] } }; }, ["spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook", "spec.conversion.conversionReviewVersions: Invalid value: [\"v3\"]: must include at least one of v1, v1beta1"]],
  ["what one version has and another lacks", customresourcedefinitions, (o) => { o.spec.versions.push({ name: "v2", served: true, storage: false, schema: o.spec.versions[0].schema, additionalPrinterColumns: [{ name: "a", type: "x", jsonPath: ".a" }] }); }, ["spec.versions[1].additionalPrinterColumns[0].type: Invalid value: \"x\": must be one of boolean,date,integer,number,string"]],
  ["a warning of nothing", customresourcedefinitions, (o) => { o.spec.versions[0].deprecationWarning = "old"; }, ["spec.versions[0].deprecationWarning: Invalid value: \"old\": can only be set for deprecated versions"]],
] as [string, AnyResource, Change, string[]][])("validation: %s", (_, card, change, expected) => expect(card.strategy.validate!(made(card, change)).map(render)).toEqual(expected));

test.each([
  [customresourcedefinitions, () => undefined, "spec.names", {"plural":"example","kind":"example","singular":"example","listKind":"exampleList"}],
  [customresourcedefinitions, () => undefined, "spec.conversion", {"strategy":"None"}],
  [customresourcedefinitions, () => undefined, "status.storedVersions", ["v1"]],
] as [AnyResource, Change, string, unknown][])("defaults %#", (card, change, path, expected) => {
  expect(path.split(".").reduce((value, field) => value?.[field], made(card, change))).toEqual(expected);
});

test.each([
  [customresourcedefinitions, () => undefined, ["example.skiff.example.com", null]],
] as [AnyResource, Change, unknown[]][])("columns %#", (card, change, expected) => expect<unknown[]>(card.columns.map((column) => column.value(made(card, change), 0))).toEqual(expected));
