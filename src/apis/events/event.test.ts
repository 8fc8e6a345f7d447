import { expect, test } from "bun:test";
import { render } from "../../apimachinery/field-errors.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import { made, type Change } from "../testing/made.ts";
import { regardingEvents } from "./event.ts";

test.each([
  ["an event", regardingEvents, () => undefined, []],
  ["no time", regardingEvents, (o) => { delete o.eventTime; }, ["eventTime: Required value"]],
  ["older fields", regardingEvents, (o) => { o.deprecatedCount = 1; o.deprecatedSource = { component: "c" }; }, ["count: Invalid value: \"\": needs to be unset", "source: Invalid value: \"\": needs to be unset"]],
  ["a type", regardingEvents, (o) => { o.type = "Odd"; }, ["type: Invalid value: \"\": has invalid value: Odd"]],
  ["a series of one", regardingEvents, (o) => { o.series = { count: 1 }; }, ["series.count: Invalid value: \"\": should be at least 2", "series.lastObservedTime: Required value"]],
  ["nobody's", regardingEvents, (o) => { o.reportingInstance = ""; }, ["reportingInstance: Required value"]],
] as [string, AnyResource, Change, string[]][])("validation: %s", (_, card, change, expected) => expect(card.strategy.validate!(made(card, change)).map(render)).toEqual(expected));
