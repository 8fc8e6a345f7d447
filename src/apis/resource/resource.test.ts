import { expect, test } from "bun:test";
import { render } from "../../apimachinery/field-errors.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import { made, type Change } from "../testing/made.ts";
import { deviceclasses } from "./deviceclass.ts";
import { resourceclaims } from "./resourceclaim.ts";
import { resourceclaimtemplates } from "./resourceclaimtemplate.ts";
import { resourceslices } from "./resourceslice.ts";

test.each([
  ["no requests are fine", resourceclaims, (o) => { o.spec = {}; }, []],
  ["a request of nothing", resourceclaims, (o) => { o.spec.devices.requests = [{ name: "a" }]; }, ["spec.devices.requests[0]: Required value: exactly one of `exactly` or `firstAvailable` is required"]],
  ["a request of two sorts", resourceclaims, (o) => { o.spec.devices.requests[0].firstAvailable = [{ name: "x", deviceClassName: "y" }]; }, ["spec.devices.requests[0]: Invalid value: null: exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set"]],
  ["all, and a count", resourceclaims, (o) => { o.spec.devices.requests[0].exactly = { deviceClassName: "a", allocationMode: "All", count: 2 }; }, ["spec.devices.requests[0].exactly.count: Invalid value: 2: must not be specified when allocationMode is 'All'"]],
  ["a request twice", resourceclaims, (o) => { o.spec.devices.requests.push(o.spec.devices.requests[0]); }, ["spec.devices.requests[1]: Duplicate value: \"device\""]],
  ["constraints", resourceclaims, (o) => { o.spec.devices.constraints = [{ requests: ["other"], matchAttribute: "model" }, {}]; }, ["spec.devices.constraints[0].requests[0]: Invalid value: \"other\": must be the name of a request in the claim or the name of a request and a subrequest separated by '/'", "spec.devices.constraints[0].matchAttribute: Invalid value: \"model\": a fully qualified name must be a domain and a name separated by a slash", "spec.devices.constraints[1]: Required value: exactly one of \"matchAttribute\" or \"distinctAttribute\" is required, but multiple fields are set"]],
  ["configuration", resourceclaims, (o) => { o.spec.devices.config = [{}, { opaque: { driver: "a", parameters: [] } }]; }, ["spec.devices.config[0].opaque: Required value", "spec.devices.config[1].opaque.parameters: Invalid value: \"<value omitted>\": must be a valid JSON object"]],
  ["a class's extended resource", deviceclasses, (o) => { o.spec.extendedResourceName = "cpu"; }, ["spec.extendedResourceName: Invalid value: \"cpu\": must be a valid extended resource name"]],
  ["a slice of nowhere", resourceslices, (o) => { delete o.spec.nodeName; }, ["spec: Required value: exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"]],
  ["a slice of two places", resourceslices, (o) => { o.spec.allNodes = true; }, ["spec: Invalid value: \"{`nodeName`, `allNodes`}\": exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required, but multiple fields are set"]],
  ["a pool", resourceslices, (o) => { o.spec.pool = { name: "", generation: -1 }; }, ["spec.pool.name: Required value", "spec.pool.resourceSliceCount: Invalid value: 0: must be greater than zero", "spec.pool.generation: Invalid value: -1: must be greater than or equal to zero"]],
  ["attributes", resourceslices, (o) => { o.spec.devices[0].attributes = { "/a": { bool: true }, a: {}, b: { version: "1" } }; }, ["spec.devices[0].attributes: Invalid value: \"\": the domain must not be empty", "spec.devices[0].attributes[a]: Invalid value: \"\": exactly one value must be specified", "spec.devices[0].attributes[b].version: Invalid value: \"1\": must be a string compatible with semver.org spec 2.0.0"]],
  ["taints", resourceslices, (o) => { o.spec.devices[0].taints = [{ key: "a", timeAdded: "2026-01-01T00:00:00Z" }]; }, ["spec.devices[0].taints[0].effect: Required value"]],
  ["binding conditions", resourceslices, (o) => { o.spec.devices[0].bindingConditions = ["a"]; }, ["spec.devices[0].bindingFailureConditions: Invalid value: null: bindingFailureConditions are required to use bindingConditions"]],
  ["a template", resourceclaimtemplates, (o) => { o.spec.spec.devices.requests = [{ name: "a" }]; }, ["spec.spec.devices.requests[0]: Required value: exactly one of `exactly` or `firstAvailable` is required"]],
  ["a template's metadata", resourceclaimtemplates, (o) => { o.spec.metadata = { name: "a", uid: "b", labels: { c: "d" } }; }, ["spec.metadata.name: Forbidden: cannot be set", "spec.metadata.uID: Forbidden: cannot be set"]],
] as [string, AnyResource, Change, string[]][])("validation: %s", (_, card, change, expected) => expect(card.strategy.validate!(made(card, change)).map(render)).toEqual(expected));

test.each([
  [resourceclaims, () => undefined, "spec.devices.requests.0.exactly", {"deviceClassName":"example","allocationMode":"ExactCount","count":1}],
] as [AnyResource, Change, string, unknown][])("defaults %#", (card, change, path, expected) => {
  expect(path.split(".").reduce((value, field) => value?.[field], made(card, change))).toEqual(expected);
});

test.each([
  [resourceclaims, () => undefined, ["example", "pending", "<unknown>"]],
  [resourceslices, () => undefined, ["example", "example", "dra.example.com", "example", "<unknown>"]],
] as [AnyResource, Change, unknown[]][])("columns %#", (card, change, expected) => expect<unknown[]>(card.columns.map((column) => column.value(made(card, change), 0))).toEqual(expected));
