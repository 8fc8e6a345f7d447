import { expect, test } from "bun:test";
import { render } from "../../apimachinery/field-errors.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import { made, type Change } from "../testing/made.ts";
import { certificatesigningrequests } from "./certificatesigningrequest.ts";

test.each([
  ["a request", certificatesigningrequests, () => undefined, []],
  ["no PEM", certificatesigningrequests, (o) => { o.spec.request = "YWJj"; }, ["spec.request: Invalid value: \"YWJj\": PEM block type must be CERTIFICATE REQUEST"]],
  ["usages", certificatesigningrequests, (o) => { o.spec.usages = ["client auth", "client auth"]; }, ["spec.usages[1]: Duplicate value: \"client auth\""]],
  ["a signer without a path", certificatesigningrequests, (o) => { o.spec.signerName = "x"; }, ["spec.signerName: Invalid value: \"x\": must be a fully qualified domain and path of the form 'example.com/signer-name'"]],
  ["a signer without a domain", certificatesigningrequests, (o) => { o.spec.signerName = "x/y"; }, ["spec.signerName: Invalid value: \"x\": should be a domain with at least two segments separated by dots"]],
  ["the legacy signer", certificatesigningrequests, (o) => { o.spec.signerName = "kubernetes.io/legacy-unknown"; }, ["spec.signerName: Invalid value: \"kubernetes.io/legacy-unknown\": the legacy signerName is not allowed via this API version"]],
  ["a short life", certificatesigningrequests, (o) => { o.spec.expirationSeconds = 1; }, ["spec.expirationSeconds: Invalid value: 1: may not specify a duration less than 600 seconds (10 minutes)"]],
] as [string, AnyResource, Change, string[]][])("validation: %s", (_, card, change, expected) => expect(card.strategy.validate!(made(card, change)).map(render)).toEqual(expected));

test.each([
  [certificatesigningrequests, (o) => { o.spec.username = "somebody else"; o.spec.uid = "1"; }, "spec.username", "anyone"],
  [certificatesigningrequests, () => undefined, "spec.groups", ["system:authenticated"]],
] as [AnyResource, Change, string, unknown][])("defaults %#", (card, change, path, expected) => {
  expect(path.split(".").reduce((value, field) => value?.[field], made(card, change))).toEqual(expected);
});

test.each([
  [certificatesigningrequests, (o) => { o.spec.expirationSeconds = 3600; }, ["example", "<unknown>", "skiff.example.com/example", "anyone", "60m", "Pending"]],
] as [AnyResource, Change, unknown[]][])("columns %#", (card, change, expected) => expect<unknown[]>(card.columns.map((column) => column.value(made(card, change), 0))).toEqual(expected));
