import { describe, expect, test } from "bun:test";
import { StatusError } from "../status.ts";
import { escapeFieldValue, formatFieldSelector, matchesFields, parseFieldSelector, requiredValue } from "./fields.ts";
import { formatLabelSelector, formatSelector, fromLabelSelector, fromSet, matchesLabels, parseLabelSelector } from "./labels.ts";

describe("label selectors", () => {
  const web = { app: "web", tier: "front", n: "5", empty: "" };
  const cases: [selector: string, matches: boolean, formatted?: string][] = [
    ["", true], ["app=web", true], ["app==web", true, "app=web"], ["app=db", false], ["app!=db", true], ["app!=web", false], ["missing!=x", true], ["missing=x", false], ["empty=", true], ["missing=", false],
    ["app in (web, db)", true, "app in (db,web)"], ["app in (db)", false], ["missing notin (a)", true], ["app notin (web)", false], ["app", true], ["!app", false], ["!missing", true],
    ["n>4", true], ["n>5", false], ["n<6", true], ["app>4", false], ["tier=front,app=web", true, "app=web,tier=front"], ["app=web,!tier", false], [" app = web , tier in ( front ) ", true, "app=web,tier in (front)"],
    ["empty in (,a)", true, "empty in (,a)"], ["app in (web,web)", true, "app in (web)"], ["example.com/x", false], ["in in (in)", false],
  ];
  for (const [text, matches, formatted = text] of cases) {
    test(JSON.stringify(text), () => {
      const selector = parseLabelSelector(text);
      expect(matchesLabels(selector, web)).toBe(matches);
      expect(formatSelector(selector)).toBe(formatted);
      expect(parseLabelSelector(formatSelector(selector))).toEqual(selector);
    });
  }
  const refused: [text: string, message: string][] = [
    ["a=b,", "found '', expected: identifier after ','"], ["a b", "found 'b', expected: in, notin, =, ==, !=, gt, lt"], ["=b", "found '=', expected: !, identifier"], ["a in x", "found 'x', expected: '('"],
    ["a in (b", "found '', expected: ',' or ')'"], ["a,,b", "identifier after ','"], ["a=b c", "found 'c', expected: ',' or 'end of string'"], ["a=-x", "a valid label must be an empty string"], ["x/y/z=1", "a valid label key"],
    ["a>b", "the value must be an integer"], ["!", "expected: identifier"], ["a!", "found '!'"],
  ];
  for (const [text, message] of refused) {
    test(`refuses ${text}`, () => {
      expect(() => parseLabelSelector(text)).toThrow(message);
      expect(() => parseLabelSelector(text)).toThrow(StatusError);
    });
  }
  test("of a spec", () => {
    const selector = { matchLabels: { tier: "front" }, matchExpressions: [{ key: "app", operator: "In", values: ["web", "db"] }, { key: "old", operator: "DoesNotExist" }] };
    expect(formatLabelSelector(selector)).toBe("app in (db,web),!old,tier=front");
    expect(matchesLabels(fromLabelSelector(selector), web)).toBe(true);
    expect(matchesLabels(fromLabelSelector({}), web)).toBe(true);
    expect(matchesLabels(fromLabelSelector(undefined), web)).toBe(false);
    expect(formatLabelSelector({})).toBe("<none>");
    expect(() => fromLabelSelector({ matchExpressions: [{ key: "a", operator: "Near" }] })).toThrow('"Near" is not a valid label selector operator');
  });
  test("of a map", () => {
    expect(matchesLabels(fromSet({ app: "web" }), web)).toBe(true);
    expect(matchesLabels(fromSet({ app: "web", x: "" }), web)).toBe(false);
    expect(matchesLabels(fromSet(undefined), undefined)).toBe(true);
  });
  test("names of Object.prototype aren't labels", () => expect(matchesLabels(parseLabelSelector("constructor"), web)).toBe(false));
});

describe("field selectors", () => {
  const fields: Record<string, string> = { "metadata.name": "web", "status.phase": "Running", odd: "a,b=c\\d" };
  const valueOf = (field: string): string => fields[field] ?? "";
  const cases: [selector: string, matches: boolean][] = [
    ["", true], ["metadata.name=web", true], ["metadata.name==web", true], ["metadata.name!=web", false], ["metadata.name=web,status.phase!=Failed", true], ["status.phase=", false], ["spec.nodeName=", true],
    ["odd=a\\,b\\=c\\\\d", true], ["odd=a\\,b", false],
  ];
  for (const [text, matches] of cases) {
    test(JSON.stringify(text), () => {
      const selector = parseFieldSelector(text);
      expect(matchesFields(selector, valueOf)).toBe(matches);
      expect(parseFieldSelector(formatFieldSelector(selector))).toEqual(selector);
    });
  }
  for (const text of ["metadata.name", "a=b=c", "a=b\\x", "a=\\"]) test(`refuses ${text}`, () => expect(() => parseFieldSelector(text)).toThrow(/invalid (field )?selector/));
  test("a required value, and escaping", () => {
    expect(requiredValue(parseFieldSelector("a!=x,b=y"), "b")).toBe("y");
    expect(requiredValue(parseFieldSelector("a!=x,b=y"), "a")).toBeUndefined();
    expect(escapeFieldValue("a,b=c\\d")).toBe("a\\,b\\=c\\\\d");
  });
});
