import { describe, expect, test } from "bun:test";
import { parseJson } from "./json.ts";
import { parseYaml, parseYamlDocuments } from "./yaml.ts";

describe("JSON", () => {
  const duplicated: [text: string, duplicates: string[]][] = [
    ['{"a": 1, "b": {"a": 2}}', []],
    ['{"spec": {"replicas": 1, "replicas": 2}}', ['duplicate field "spec.replicas"']],
    ['{"a": [{"x": 1}, {"x": 1, "y": [1, {}], "x": 2}], "a": null}', ['duplicate field "a[1].x"', 'duplicate field "a"']],
    ['{"a": "\\"", "\\u0061": "}{"}', ['duplicate field "a"']],
    ["[]", []], ['"x"', []], ["-1.5e+3", []],
  ];
  for (const [text, duplicates] of duplicated) {
    test(text, () => expect(parseJson(text, { duplicates: true })).toEqual({ value: JSON.parse(text), duplicates }));
  }
  test("duplicates cost nothing unless asked for", () => expect(parseJson('{"a": 1, "a": 2}').duplicates).toEqual([]));

  const broken: [text: string, message: string][] = [
    ["", "unexpected end of JSON input"], ['{"a":', "unexpected end of JSON input"], ["{a: 1}", "invalid character 'a' looking for beginning of object key string"],
    ['{"a" 1}', "invalid character '1' after object key"], ['{"a": 1 "b"}', "invalid character '\"' after object key:value pair"], ["[1 2]", "invalid character '2' after array element"],
    ["{} x", "invalid character 'x' after top-level value"], ["trux", "invalid character 'x' in literal true (expecting 'e')"], ['{"a": x}', "invalid character 'x' looking for beginning of value"],
    ['"a\nb"', "invalid character '\\n' in string literal"], ['"\\x"', "invalid character 'x' in string escape code"], ["-x", "invalid character 'x' in numeric literal"], ["[1,]", "invalid character ']' looking for beginning of value"],
    ["[".repeat(200_000), "exceeded max depth"],
  ];
  for (const [text, message] of broken) test(`refuses ${text.slice(0, 20)}`, () => expect(() => parseJson(text)).toThrow(`json parse error: ${message}`));
});

describe("YAML as go-yaml reads it", () => {
  const scalars: [text: string, value: unknown][] = [
    ["yes", true], ["on", true], ["y", true], ["Off", false], ["no", false], ['"yes"', "yes"], ["0644", 420], ["0o644", 420], ["0x1F", 31], ["0b11", 3], ["1_000", 1000], ["-0644", -420],
    ["1.20", 1.2], ["1e3", "1e3"], ["1e+3", 1000], ["08", 8], ["22:22", "22:22"], ["2024-01-01", "2024-01-01"], ["~", null], ["", null], ["null", null], ["1.2.3", "1.2.3"], ["+5", 5], ["!!binary YWJj", "abc"],
    [".5", 0.5], ["-", [null]],
  ];
  for (const [text, value] of scalars) test(JSON.stringify(text), () => expect(parseYaml(text).value).toEqual(value));

  test("duplicate keys are found with their lines, merged ones aside", () => {
    const text = "base: &base {a: 1}\nspec:\n  replicas: 1\n  replicas: 2\nuse:\n  <<: *base\n  a: 2\nflow: {k: 1, k: 2}\n";
    const { value, duplicates } = parseYaml(text, { duplicates: true });
    expect(duplicates).toEqual(['yaml: unmarshal errors:\n  line 4: key "replicas" already set in map\n  line 8: key "k" already set in map']);
    expect(value).toEqual({ base: { a: 1 }, spec: { replicas: 2 }, use: { a: 2 }, flow: { k: 2 } });
    expect(() => parseYamlDocuments(text)).toThrow('key "replicas" already set in map');
  });
  test("several documents", () => {
    expect(parseYamlDocuments("a: 1\n---\nb: 2\n")).toEqual([{ a: 1 }, { b: 2 }]);
    expect(parseYaml("a: 1\n---\nb: 2\n").value).toEqual({ a: 1 });
  });
  test("a broken text names its line", () => expect(() => parseYaml("a: 1\nb: [1\nc: 2")).toThrow(/error converting YAML to JSON: yaml: line \d/));
  test("aliases can't grow without bound", () => {
    let text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
    for (let i = 1; i < 9; i++) text += `a${i}: &a${i} [${Array.from({ length: 9 }, () => `*a${i - 1}`).join(", ")}]\n`;
    expect(() => parseYaml(text)).toThrow("excessive aliasing");
    expect(() => parseYaml("a: &a [*a]")).toThrow();
  });
  test("JSON is YAML too", () => expect(parseYaml('{"a": [1, "x", null, true]}').value).toEqual({ a: [1, "x", null, true] }));
});
