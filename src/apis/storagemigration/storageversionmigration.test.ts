import { expect, test } from "bun:test";
import { render } from "../../apimachinery/field-errors.ts";
import { made, type Change } from "../testing/made.ts";
import { storageversionmigrations as card } from "./storageversionmigration.ts";

test.each<[string, Change, string[]]>([
  ["the core group", () => undefined, []],
  ["another group", (o) => { o.spec.resource.group = "example.com"; }, []],
  ["no resource", (o) => { o.spec = {}; }, ["spec.resource.resource: Required value: resource is required to be set"]],
  ["odd names", (o) => { o.spec.resource = { group: "-", resource: "9s" }; }, [expect.stringContaining('spec.resource.resource: Invalid value: "9s": a DNS-1035 label must consist of') as never, expect.stringContaining('spec.resource.group: Invalid value: "-": a lowercase RFC 1123 subdomain must consist of') as never]],
])("validation: %s", (_, change, expected) => expect(card.strategy.validate!(made(card, change)).map(render)).toEqual(expected));

test("which resource doesn't change", () => {
  expect(card.strategy.validateUpdate!(made(card, (o) => { o.spec.resource.resource = "pods"; }), made(card, () => undefined)).map(({ field, message }) => [field, message.split(": ").at(-1)!])).toEqual([["spec", "field is immutable"]]);
});

const condition = (type: string, status = "True") => ({ type, status, reason: "Because", message: "", lastTransitionTime: "2026-01-01T00:00:00Z" });
const withStatus = (status: unknown) => ({ ...made(card, () => undefined), status });

test.each<[string, unknown, unknown, string[]]>([
  ["a revision is noted", {}, { resourceVersion: "42" }, []],
  ["odd ones aren't", {}, { resourceVersion: "042" }, ["resource version is not well formed: 042"]],
  ["it stays", { resourceVersion: "42" }, { resourceVersion: "43" }, ["field is immutable"]],
  ["one end", {}, { conditions: [condition("Running"), condition("Failed")] }, []],
  ["two ends", {}, { conditions: [condition("Succeeded"), condition("Failed")] }, ["Both success and failed conditions cannot be true at the same time"]],
  ["no way back from success", { conditions: [condition("Succeeded")] }, { conditions: [condition("Succeeded", "False")] }, ["Success condition cannot be set to false once it is true"]],
  ["nor from failure", { conditions: [condition("Failed")] }, {}, ["Failed condition cannot be set to false once it is true"]],
])("status: %s", (_, old, status, expected) => expect(card.strategy.validateStatusUpdate!(withStatus(status), withStatus(old)).map(({ message }) => message.split(": ").slice(message.includes("well formed") ? -2 : -1).join(": "))).toEqual(expected));

test.each<[unknown, unknown[]]>([
  [{}, ["example", "secrets", "Unknown"]],
  [{ conditions: [condition("Running")] }, ["example", "secrets", "Running"]],
  [{ conditions: [condition("Running", "False"), condition("Succeeded")] }, ["example", "secrets", "Succeeded"]],
])("columns %#", (status, expected) => expect<unknown[]>(card.columns.map((column) => column.value(withStatus(status), 0))).toEqual(expected));
