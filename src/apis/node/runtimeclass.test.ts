import { expect, test } from "bun:test";
import { render } from "../../apimachinery/field-errors.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import { made, type Change } from "../testing/made.ts";
import { runtimeclasses } from "./runtimeclass.ts";

test.each([
  ["no handler", runtimeclasses, (o) => { delete o.handler; }, ["handler: Required value"]],
  ["tolerations twice", runtimeclasses, (o) => { o.scheduling = { tolerations: [{ key: "a" }, { key: "a" }] }; }, ["scheduling.tolerations[1]: Duplicate value: {\"Key\":\"a\",\"Operator\":\"\",\"Value\":\"\",\"Effect\":\"\",\"TolerationSeconds\":null}"]],
] as [string, AnyResource, Change, string[]][])("validation: %s", (_, card, change, expected) => expect(card.strategy.validate!(made(card, change)).map(render)).toEqual(expected));

test.each([
  [runtimeclasses, () => undefined, ["example", "example", "<unknown>"]],
] as [AnyResource, Change, unknown[]][])("columns %#", (card, change, expected) => expect<unknown[]>(card.columns.map((column) => column.value(made(card, change), 0))).toEqual(expected));
