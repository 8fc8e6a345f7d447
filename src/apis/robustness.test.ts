import fc from "fast-check";
import { describe, expect, test } from "bun:test";
import type { KubeObject } from "../apimachinery/meta.ts";
import { apiVersionOf } from "../apimachinery/resource.ts";
import { decode } from "../apimachinery/schema/decode.ts";
import { typeOf, type Type } from "../apimachinery/schema/schema.ts";
import { builtins } from "./builtins.ts";
import { anyone } from "./testing/anyone.ts";

/** Whatever decodes is met with field errors, never with an exception: a throw here would be a 500 there. */
const strings = fc.constantFrom("", "a", "A b", "constructor", "__proto__", "None", "Always", "ClientIP", "RollingUpdate", "10.0.0.1", "metadata.labels['x']", "Localhost", "NodePort", "In");
const numbers = fc.constantFrom(-1, 0, 1, 80, 70_000);

function values(type: Type, depth: number): fc.Arbitrary<unknown> {
  switch (type.kind) {
    case "scalar": return type.scalar === "bool" ? fc.boolean() : type.scalar === "string" ? strings : numbers;
    case "list": return fc.array(values(type.item, depth - 1), { maxLength: 2 });
    case "map": return fc.dictionary(strings, values(type.value, depth - 1), { maxKeys: 2, noNullPrototype: true });
    case "quantity": return fc.constantFrom("-1", "0", "100m", "1", "1Gi");
    case "intOrString": return fc.oneof(numbers, strings);
    case "time": case "microTime": return fc.constant("2026-01-01T00:00:00Z");
    case "bytes": return fc.constantFrom("", "YQ==");
    case "struct": return depth <= 0 ? fc.constant({}) : objects(type, depth);
    default: return fc.constant({});
  }
}

const objects = (type: Extract<Type, { kind: "struct" }>, depth: number): fc.Arbitrary<Record<string, unknown>> =>
  fc.record(Object.fromEntries([...type.fields].map(([name, field]) => [name, fc.option(values(field.type, depth - 1), { nil: undefined, freq: 2 })])));

function objectOf(schema: string): fc.Arbitrary<KubeObject> {
  const type = typeOf(schema);
  if (type.kind !== "struct") throw new Error(`${schema} is no struct`);
  const metadata = { name: "x", namespace: "default", labels: { app: "x" } };
  return objects(type, 9).map((object) => decode<KubeObject & Record<string, unknown>>(schema, JSON.parse(JSON.stringify({ ...object, apiVersion: "v1", kind: "x", metadata }))).object);
}

describe.each(builtins.map((card) => [`${apiVersionOf(card)} ${card.resource}`, card] as const))("%s", (_, card) => {
  test("answers any object with field errors", () => {
    fc.assert(fc.property(objectOf(card.schema), objectOf(card.schema), (object, old) => {
      for (const one of [object, old]) {
        card.default?.(one);
        card.strategy.prepareForCreate?.(one, anyone);
      }
      const { strategy } = card;
      strategy.prepareForUpdate?.(object, old);
      const errors = [strategy.validate?.(object), strategy.validateUpdate?.(object, old), strategy.validateStatusUpdate?.(object, old)].flatMap((found) => found ?? []);
      for (const error of errors) expect(error.message).not.toBeEmpty();
      strategy.warnings?.(object, old);
      if (errors.length === 0) for (const column of card.columns) expect(column.value(object, 0)).not.toBe(undefined as never);
    }), { numRuns: 150, seed: 1 });
  });
});
