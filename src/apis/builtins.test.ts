import { describe, expect, test } from "bun:test";
import type { KubeObject } from "../apimachinery/meta.ts";
import { apiVersionOf } from "../apimachinery/resource.ts";
import { typeOf } from "../apimachinery/schema/schema.ts";
import { builtins } from "./builtins.ts";
import { priorityclasses, systemPriorityClasses } from "./scheduling/priorityclass.ts";
import { anyone } from "./testing/anyone.ts";

test("each kind and resource is there once", () => {
  const keys = builtins.flatMap((card) => [`${apiVersionOf(card)}/${card.kind}`, `${apiVersionOf(card)}/${card.resource}`]);
  expect(new Set(keys).size).toBe(keys.length);
});

describe.each(builtins.map((card) => [`${apiVersionOf(card)} ${card.resource}`, card] as const))("%s", (_, card) => {
  test("has its type in the schema table", () => {
    const type = typeOf(card.schema);
    const fields = type.kind === "struct" ? type.fields : new Map<string, unknown>();
    expect(fields.has("metadata")).toBe(true);
    if (card.subresources.status) expect(fields.has("status")).toBe(true);
  });

  if (!card.example) {
    test("is never stored: a question, or only read", () => expect([["create"], ["get", "list"]]).toContainEqual([...card.verbs]));
    return;
  }

  const made = (): KubeObject => {
    const object = card.example!() as KubeObject;
    card.default?.(object);
    card.strategy.prepareForCreate?.(object, anyone);
    return object;
  };
  test("has an example that says what it is and is valid", () => {
    expect(card.example!()).toMatchObject({ apiVersion: apiVersionOf(card), kind: card.kind });
    expect(card.strategy.validate?.(made()) ?? []).toEqual([]);
    expect(card.strategy.validateUpdate?.(made(), made()) ?? []).toEqual([]);
    expect(card.strategy.validateStatusUpdate?.(made(), made()) ?? []).toEqual([]);
  });
  test("defaults once", () => {
    const object = made(), again = structuredClone(object);
    card.default?.(again);
    expect(again).toEqual(object);
  });
  test("survives an object with nothing in it, as a client may send one", () => {
    const empty: KubeObject = { metadata: { name: "x", namespace: "default" } };
    card.default?.(empty);
    card.strategy.prepareForCreate?.(empty, anyone);
    expect(() => card.strategy.validate?.(empty)).not.toThrow();
    for (const column of card.columns) expect(column.value(empty, 0)).not.toBe(undefined as never);
    for (const select of Object.values(card.fieldSelectors)) expect(typeof select(empty)).toBe("string");
  });
});

test("the system's priority classes are valid, and nobody else's", () => {
  for (const one of systemPriorityClasses) expect(priorityclasses.strategy.validate!(one)).toEqual([]);
  expect(priorityclasses.strategy.validate!({ metadata: { name: "system-mine" }, value: 1 })).toHaveLength(1);
  expect(priorityclasses.strategy.validate!({ metadata: { name: "mine" }, value: 1_000_000_001 })).toHaveLength(1);
});
