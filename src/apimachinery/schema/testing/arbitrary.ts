import fc from "fast-check";
import type { StructType, Type } from "../schema.ts";

/** Deeper than this, lists and maps are empty and optional structs missing, since types contain themselves. */
const deepest = 5;

/** Any value of a type of the schema table, as decoded JSON has it. */
export function valueOf(type: Type, depth = 0): fc.Arbitrary<unknown> {
  switch (type.kind) {
    case "scalar": return scalars[type.scalar];
    case "list": return depth >= deepest ? fc.constant([]) : fc.array(valueOf(type.item, depth + 1), { maxLength: 2 });
    case "map": return depth >= deepest ? fc.constant({}) : fc.dictionary(text, valueOf(type.value, depth + 1), { maxKeys: 2, noNullPrototype: true });
    case "struct": return depth >= deepest ? fc.constant({}) : structOf(type, depth + 1);
    case "union": return depth >= deepest ? otherOf(type.other, depth) : fc.oneof(structOf(type.struct, depth + 2), otherOf(type.other, depth + 2));
    case "any": return fc.constantFrom({ a: [1, "b", null], c: {} }, { "": "" });
    case "quantity": return fc.constantFrom("0", "100m", "1Gi", "1500k", "12e6");
    case "intOrString": return fc.oneof(fc.integer(), text);
    case "time": return fc.constantFrom("1970-01-01T00:00:00Z", "2026-01-02T03:04:05Z", "0100-12-31T23:59:59Z");
    case "microTime": return fc.constantFrom("2026-01-02T03:04:05.000000Z", "2026-01-02T03:04:05.123456Z");
    case "duration": return fc.constantFrom("0s", "1h0m0s", "1m1.5s", "250ms", "-3µs");
    case "bytes": return fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString("base64"));
  }
}

/** An empty list of a union is none, to Go. */
const otherOf = (type: Type, depth: number): fc.Arbitrary<unknown> =>
  (type.kind === "list" ? fc.array(valueOf(type.item, depth + 1), { minLength: 1, maxLength: 2 }) : valueOf(type, depth));

const text = fc.string({ unit: "grapheme", maxLength: 50 });
const scalars = {
  string: text, bool: fc.boolean(), int32: fc.integer(), float64: fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
  int64: fc.oneof(fc.integer(), fc.maxSafeInteger()),
};

/** Any object of a struct type, some fields missing. */
export const structOf = (struct: StructType, depth = 0): fc.Arbitrary<Record<string, unknown>> =>
  fc.record(Object.fromEntries([...struct.fields.values()].map((field) => [field.name, fc.constant(null).chain(() => valueOf(field.type, depth))])), { requiredKeys: [], noNullPrototype: true });
