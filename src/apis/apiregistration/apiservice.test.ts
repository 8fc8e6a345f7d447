import { expect, test } from "bun:test";
import { render } from "../../apimachinery/field-errors.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import { made, type Change } from "../testing/made.ts";
import { apiservices } from "./apiservice.ts";

test.each([
  ["a service", apiservices, () => undefined, []],
  ["another name", apiservices, (o) => { o.metadata.name = "x"; }, ["metadata.name: Invalid value: \"x\": must be `spec.version+\".\"+spec.group`: \"v1.example.skiff.example.com\""]],
  ["priorities", apiservices, (o) => { o.spec.groupPriorityMinimum = 30000; o.spec.versionPriority = 0; }, ["spec.groupPriorityMinimum: Invalid value: 30000: must be positive and less than 20000", "spec.versionPriority: Invalid value: 0: must be positive and less than 1000"]],
  ["two ways of trust", apiservices, (o) => { o.spec.caBundle = "YWJj"; }, ["spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is present"]],
  ["trust in what is local", apiservices, (o) => { delete o.spec.service; o.spec.caBundle = "YWJj"; }, ["spec.caBundle: Invalid value: \"3 bytes\": local APIServices may not have a caBundle", "spec.insecureSkipTLSVerify: Invalid value: true: local APIServices may not have insecureSkipTLSVerify"]],
  ["a service without a name", apiservices, (o) => { o.spec.service = { port: 70000 }; }, ["spec.service.namespace: Required value", "spec.service.name: Required value", "spec.service.port: Invalid value: 70000: port is not valid: must be between 1 and 65535, inclusive"]],
] as [string, AnyResource, Change, string[]][])("validation: %s", (_, card, change, expected) => expect(card.strategy.validate!(made(card, change)).map(render)).toEqual(expected));

test.each([
  [apiservices, () => undefined, "spec.service.port", 443],
] as [AnyResource, Change, string, unknown][])("defaults %#", (card, change, path, expected) => {
  expect(path.split(".").reduce((value, field) => value?.[field], made(card, change))).toEqual(expected);
});

test.each([
  [apiservices, () => undefined, ["v1.example.skiff.example.com", "default/missing", "Unknown", "<unknown>"]],
  [apiservices, (o) => { delete o.spec.service; }, ["v1.example.skiff.example.com", "Local", "True", "<unknown>"]],
] as [AnyResource, Change, unknown[]][])("columns %#", (card, change, expected) => expect<unknown[]>(card.columns.map((column) => column.value(made(card, change), 0))).toEqual(expected));
