import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { KubeObject } from "../../apimachinery/meta.ts";
import { createSharing } from "./sharing.ts";

const parsed = (value: unknown): KubeObject => JSON.parse(JSON.stringify(value)) as KubeObject;

/** All objects and lists in a value, as often as they are found. */
function nodesOf(value: unknown, found: object[] = []): object[] {
  if (typeof value !== "object" || value === null) return found;
  found.push(value);
  for (const inner of Object.values(value)) nodesOf(inner, found);
  return found;
}

/** Few names and values, so that much is alike. */
const { tree } = fc.letrec<{ tree: unknown; leaf: unknown }>((tie) => ({
  leaf: fc.constantFrom(null, true, 0, 1, "", "a", "a longer text that is no name"),
  tree: fc.oneof(
    { maxDepth: 5, depthSize: "large" },
    tie("leaf"),
    fc.array(tie("tree"), { maxLength: 4 }),
    fc.array(fc.tuple(fc.constantFrom("a", "b", "labels", "0", "__proto__", "constructor", "toString"), tie("tree")), { maxLength: 4 }).map((fields) => {
      const made: Record<string, unknown> = {};
      for (const [name, value] of fields) Object.defineProperty(made, name, { value, enumerable: true, configurable: true, writable: true });
      return made;
    }),
  ),
}));
const objects = fc.array(fc.record({ metadata: fc.record({ labels: tree }), spec: tree, status: tree }), { minLength: 1, maxLength: 40 });

describe("sharing", () => {
  test("changes no JSON, of this object or of one before, and no object has one thing in two places", () => {
    fc.assert(fc.property(objects, (given) => {
      const { share } = createSharing();
      const texts = given.map((object) => JSON.stringify(object));
      const held = given.map((object) => share(parsed(object)));
      expect(held.map((object) => JSON.stringify(object))).toEqual(texts);
      for (const object of held) {
        const nodes = nodesOf(object);
        expect(new Set(nodes).size).toBe(nodes.length);
        expect(nodes.every((node) => Object.getPrototypeOf(node) === (Array.isArray(node) ? Array.prototype : Object.prototype))).toBe(true);
      }
    }), { numRuns: 300 });
  });

  test("a changed copy changes nobody else", () => {
    fc.assert(fc.property(objects, (given) => {
      const { share } = createSharing();
      const held = given.map((object) => share(parsed(object)));
      const texts = held.map((object) => JSON.stringify(object));
      for (const object of held) {
        const copy = structuredClone(object), nodes = nodesOf(copy);
        for (const [place, node] of nodes.entries()) (node as Record<string, unknown>)["changed"] = place;
        expect(nodes.map((node) => (node as Record<string, unknown>)["changed"])).toEqual([...nodes.keys()]);
      }
      expect(held.map((object) => JSON.stringify(object))).toEqual(texts);
    }), { numRuns: 200 });
  });

  const made = (index: number): KubeObject => parsed({
    metadata: { name: `pod-${index}`, labels: { app: "web" }, managedFields: [{ manager: "kubectl", time: `${index}`, fieldsV1: { "f:spec": { "f:containers": {} } } }] },
    spec: { containers: [{ name: "main", env: [{ name: "A", value: "b" }], volumeMounts: [{ name: `token-${index}` }] }] },
  });
  type Made = { metadata: { labels: object; managedFields: { fieldsV1: object }[] }; spec: { containers: { env: object }[] } };

  test("things made alike have their like parts in common", () => {
    const { share } = createSharing();
    const held = Array.from({ length: 200 }, (_, index) => share(made(index)) as unknown as Made).slice(1);
    expect(new Set(held.map(({ metadata }) => metadata.labels)).size).toBe(1);
    expect(new Set(held.map(({ metadata }) => metadata.managedFields[0]!.fieldsV1)).size).toBe(1);
    expect(new Set(held.map(({ spec }) => spec.containers[0]!.env)).size).toBe(1);
    expect(new Set(held.map(({ spec }) => spec.containers)).size).toBe(199);
  });

  test("what was common stays so while it comes again, among much that is unlike, and is told by its order too", () => {
    const { share } = createSharing();
    const first = share(made(0)) && share(made(1)) as unknown as Made;
    for (let index = 2; index < 20_000; index++) {
      share(parsed({ metadata: { name: "x" }, data: { [`own-${index}`]: { n: index } } }));
      if (index % 500 === 0) expect((share(made(index)) as unknown as Made).metadata.labels).toBe(first.metadata.labels);
    }
    const ordered = (labels: object): string => JSON.stringify(share(parsed({ metadata: { labels } })));
    for (let time = 0; time < 3; time++) {
      expect(ordered({ b: 1, a: 2 })).toBe('{"metadata":{"labels":{"b":1,"a":2}}}');
      expect(ordered({ a: 2, b: 1 })).toBe('{"metadata":{"labels":{"a":2,"b":1}}}');
    }
  });

  test("deep and wide values cost what their length costs", () => {
    const { share } = createSharing();
    const deep = `{"metadata":{},"spec":${'{"a":['.repeat(2000)}1${"]}".repeat(2000)},"data":${JSON.stringify(Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`k${index}`, { v: index }])))}}`;
    const start = performance.now();
    expect(JSON.stringify(share(JSON.parse(deep) as KubeObject))).toBe(deep);
    expect(performance.now() - start).toBeLessThan(5000);
  });
});
