import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { compile } from "../compile.ts";
import { createEnvironment } from "../environment.ts";
import { declTypeOf, maxCardinality, type SchemaLike } from "../schema/decl-type.ts";
import recorded from "../testing/estimates-1.36.json";
import { valueOf } from "../values/json.ts";
import { estimateCost } from "./estimate.ts";

const self = declTypeOf({ type: "object", properties: recorded.properties as Record<string, SchemaLike> }, "Self")!;
const environment = createEnvironment({ variables: { self, oldSelf: self } });
const programOf = (rule: string) => compile(rule, environment).program!;
const limit = 10_000_000;

/** As Kubernetes says how much too dear a rule of a CRD is. */
function factorOf(max: number): string {
  if (max <= limit) return "within";
  const factor = max / limit;
  return factor > 100 ? "more than 100x" : `${factor.toFixed(factor < 1.5 ? 6 : 1)}x`;
}

describe("what a kube-apiserver 1.36 found too dear", () => {
  test.each(Object.entries(recorded.factors))("%s", (rule, factor) => {
    expect(factorOf(estimateCost(programOf(rule), { self, oldSelf: self }).max)).toBe(factor);
  });
});

test("data without a size of its own is bounded by a request", () => {
  expect(maxCardinality(self)).toBe(1_048_576);
  expect(estimateCost(programOf("self.ul.size() > 1"), { self })).toEqual({ min: 4, max: 4 });
});

test("evaluating never costs more than was estimated", () => {
  const text = fc.string({ maxLength: 20 });
  const data = fc.record({
    s: text, u: text, n: fc.integer(), l: fc.array(text, { maxLength: 8 }), ul: fc.array(text, { maxLength: 8 }), nl: fc.array(fc.integer({ min: -1000, max: 1000 }), { maxLength: 8 }),
    m: fc.dictionary(fc.string({ maxLength: 3 }), text), um: fc.dictionary(fc.string({ maxLength: 3 }), text), e: fc.constantFrom("a", "bbbb"), ios: fc.oneof(fc.integer(), text),
    lo: fc.array(fc.record({ k: text, v: fc.array(fc.string({ maxLength: 10 }), { maxLength: 5 }) }), { maxLength: 5 }), ll: fc.array(fc.array(text, { maxLength: 4 }), { maxLength: 4 }),
  });
  // Kubernetes takes the items of a literal list, and the keys of a literal map, for as short as the object itself, which has no length: such an estimate is too low, but it is the one that counts.
  const programs = Object.keys(recorded.factors).filter((rule) => !/^(\[self\.u, self\.s\]|\{'a': self\.u, 'b': self\.s\})\.all/.test(rule)).map((rule) => ({ program: programOf(rule), estimate: estimateCost(programOf(rule), { self }) }));
  fc.assert(fc.property(data, (json) => {
    const value = valueOf(json, self);
    for (const { program, estimate } of programs) expect(program.evaluate({ self: value }).cost).toBeLessThanOrEqual(estimate.max);
  }), { numRuns: 60, examples: [[{ s: "", u: "a", n: 0, l: [], ul: [], nl: [], m: {}, um: {}, e: "a", ios: 0, lo: [], ll: [] }]] });
});
