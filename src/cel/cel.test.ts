import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import recorded from "./testing/kube-apiserver-1.36.json";
import { compile } from "./compile.ts";
import { createEnvironment, type Environment } from "./environment.ts";
import { authorizerType } from "./library/authorizer.ts";
import { declared } from "./schema/decl-type.ts";
import { dynType, structType } from "./type.ts";
import { valueOf } from "./values/json.ts";
import { Opaque } from "./values/value.ts";

const requestType = declared.object("kubernetes.AdmissionRequest", {
  kind: declared.object("kubernetes.GroupVersionKind", { group: declared.string, version: declared.string, kind: declared.string }),
  operation: declared.string, name: declared.string, dryRun: declared.bool, userInfo: declared.object("kubernetes.UserInfo", { username: declared.string }),
});
const namespaceType = declared.object("kubernetes.Namespace", {
  metadata: declared.object("kubernetes.NamespaceMetadata", { name: declared.string, labels: declared.map(declared.string) }), spec: declared.object("kubernetes.NamespaceSpec", {}),
});
const environment = createEnvironment({ variables: { object: dynType, oldObject: dynType, request: requestType, namespaceObject: namespaceType, authorizer: authorizerType } });
const variables = {
  object: valueOf({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "foo" }, data: { a: "b", "a.b": "c" } }), oldObject: null,
  request: valueOf({ kind: { group: "", version: "v1", kind: "ConfigMap" }, operation: "CREATE", name: "foo", dryRun: true, userInfo: { username: "admin" } }, requestType),
  namespaceObject: valueOf({ metadata: { name: "celo", labels: { a: "b" } } }, namespaceType),
};

function run(source: string, env: Environment = environment, costLimit?: number) {
  const compiled = compile(source, env);
  if (compiled.issues !== undefined) throw new Error(compiled.issues);
  return compiled.program.evaluate(variables, { costLimit });
}

describe("what a kube-apiserver 1.36 answered", () => {
  test.each(Object.entries(recorded.values))("%s", (source, shown) => {
    const asText = compile(`'%s'.format([${source}])`, environment).program ? `'%s'.format([${source}])` : `string(${source})`;
    expect(run(asText).value).toBe(shown);
  });

  test.each(Object.entries(recorded.errors))("error of %s", (source, message) => {
    expect(run(source).error).toBe(message);
  });

  test.each(Object.entries(recorded.refused))("refused: %s", (source, issues) => {
    expect(compile(source, environment).issues).toBe(issues);
  });
});

describe("cost", () => {
  test.each([
    ["1 + 2", 1], ["object.metadata.name", 3], ["has(object.metadata.name)", 2], ["object.metadata.name == 'foo'", 4], ["object.metadata.name in ['foo', 'bar']", 3],
    ["[object.kind]", 12], ["{'a': object.kind}", 32], ["'abc'.contains('b')", 1], ["'0123456789012345678901234567890'.startsWith('0')", 4], ["[1, 2, 3].all(x, x > 0)", 16],
    ["object.kind == 'a' || object.kind == 'ConfigMap'", 6], ["'abc'.matches('a.*')", 1], ["quantity('1Gi').isLessThan(quantity('2Gi'))", 3], ["[3, 1, 2].sort()", 29],
  ])("of %s is %i", (source, cost) => {
    expect(run(source).cost).toBe(cost);
  });

  test("ends an evaluation that passes the limit", () => {
    const source = "lists.range(200).all(a, lists.range(200).all(b, lists.range(200).all(c, a + b + c >= 0)))";
    expect(run(source)).toMatchObject({ error: "operation cancelled: actual cost limit exceeded", outOfBudget: true });
    expect(run("lists.range(1000000000).size()")).toMatchObject({ outOfBudget: true });
    expect(run("lists.range(100000).distinct().size()")).toMatchObject({ outOfBudget: true });
    expect(run("[1, 2, 3].all(x, x > 0)", environment, 5)).toMatchObject({ outOfBudget: true });
  });

  test("an authorization check is dear", () => {
    class Asked extends Opaque {
      readonly type = structType("kubernetes.authorization.Authorizer");
      readonly data = { checkResource: () => ({ allowed: true, reason: "" }), checkPath: () => ({ allowed: true, reason: "" }) };
      equals(other: Opaque): boolean {
        return this === other;
      }
    }
    const { program } = compile("authorizer.group('').resource('pods').check('get').allowed()", environment);
    expect(program!.evaluate({ authorizer: new Asked() })).toEqual({ value: true, cost: 350_004 });
  });
});

describe("hostile input", () => {
  test("a pattern that backtracking engines never finish", () => {
    expect(run(`'${"a".repeat(5000)}!'.matches('^(a+)+$')`).value).toBe(false);
    expect(run(`'${"a".repeat(5000)}'.matches('(a|a)*b')`).value).toBe(false);
  });

  test("nesting", () => {
    for (const [open, close] of [["(", ")"], ["[", "]"], ["!", ""], ["-", ""], ["{1:", "}"], ["size(", ")"]] as const) {
      const source = `${open.repeat(20_000)}1${close.repeat(20_000)}`;
      expect(() => compile(source, environment)).not.toThrow();
    }
    expect(compile(`${"(".repeat(300)}1${")".repeat(300)}`, environment).issues).toContain("expression recursion limit exceeded: 250");
    expect(compile("a".repeat(100_001), environment).issues).toContain("expression code point size exceeds limit: size: 100001, limit 100000");
  });

  test("macros that double what they stand on", () => {
    expect(run(`optional.of(1)${".optMap(x, x + 1)".repeat(5)}.value()`).value).toBe(6n);
    expect(compile(`optional.of(1)${".optMap(x, x)".repeat(100)}`, environment).issues).toContain("chained too deeply");
  });

  test("long chains are balanced", () => {
    expect(run(Array<string>(10_000).fill("object.kind == 'x'").slice(0, 4000).join("||")).value).toBe(false);
  });

  const piece = fc.constantFrom(
    "1", "2u", "1.5", "'a'", "b'x'", "true", "null", "object", "object.data", "[", "]", "(", ")", "{", "}", ".", ",", ":", "?", "+", "-", "*", "/", "%", "==", "<", "&&", "||", "!", " in ",
    ".all(x, x > 0)", ".map(k, v, k)", ".exists(x, ", "has(", ".size()", "[0]", "['a']", "[?0]", ".?a", ".matches('(a+)+$')", ".replace('', 'aa')", ".split('')", ".join('x')", "lists.range(9)",
    "type(", "timestamp('2020-01-01T00:00:00Z')", "duration('1h')", "optional.of(1)", ".orValue(2)", ".format([1])", "'%s'", "quantity('1')", "ip('::1')", "x", "\u{1F600}", "`a`", "//", "\n",
  );

  test("never throws, never outruns its budget", () => {
    fc.assert(fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
      const compiled = compile(pieces.join(""), environment);
      if (!compiled.program) return;
      const { cost, error } = compiled.program.evaluate(variables, { costLimit: 10_000 });
      expect(error === undefined || cost >= 0).toBe(true);
    }), { numRuns: 3000 });
  });

  test("random text", () => {
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 60 }), (source) => {
      compile(source, environment);
    }), { numRuns: 1000 });
  });
});
