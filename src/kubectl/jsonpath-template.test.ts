import { describe, expect, test } from "bun:test";
import { formatJsonPath } from "./jsonpath-template.ts";

const list = { kind: "List", items: [{ metadata: { name: "a", labels: { "app.io/x": "1" } }, n: 1, ok: true }, { metadata: { name: "b" }, n: 2, sub: { y: "<", x: [1] } }] };

describe("templates", () => {
  for (const [template, expected] of [
    ["{.kind}", "List"], [".kind", "List"], ["{$.kind}", "List"], ["{.items[*].metadata.name}", "a b"], ["{.items[1].metadata.name}", "b"], ["{.items[-1].n}", "2"], ["{.items[0].metadata.labels.app\\.io/x}", "1"],
    ["kind: {.kind}!", "kind: List!"], ['{range .items[*]}{.metadata.name}{"\\t"}{.n}{"\\n"}{end}', "a\t1\nb\t2\n"], ["{range .items[*]}[{@.n}]{end}", "[1][2]"],
    ['{.items[?(@.n==2)].metadata.name}', "b"], ['{.items[?(@.metadata.name=="a")].n}', "1"], ["{.items[*].nope}", ""], ["{.items[1].sub}", '{"x":[1],"y":"\\u003c"}'], ["{..name}", "a b"],
  ] as [string, string][]) test(template, () => expect(formatJsonPath(template)(list)).toBe(expected));

  test("as JSON", () => expect(JSON.parse(formatJsonPath("{.items[*].n}", { asJson: true })(list))).toEqual([1, 2]));
  test("for columns", () => expect([formatJsonPath("{.nope}", { missing: "<none>" })(list), formatJsonPath("{.items[*].n}", { separator: "," })(list)]).toEqual(["<none>", "1,2"]));
  for (const broken of ["{.a", "{range .items[*]}x", "{end}", "{.a[}"]) test(`${broken} is a mistake`, () => expect(() => formatJsonPath(broken)).toThrow("error parsing jsonpath"));
});
