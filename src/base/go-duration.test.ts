import { expect, test } from "bun:test";
import fc from "fast-check";
import { formatGoDuration, parseGoDuration } from "./go-duration.ts";

test.each([["0", 0], ["5s", 5000], ["300ms", 300], ["1.5h", 5_400_000], ["2h45m", 9_900_000], ["-1m", -60_000], ["+.5s", 500], ["1us", 0.001], ["10ns", 0.00001]])("%s", (text, ms) => expect(parseGoDuration(text)).toBeCloseTo(ms, 9));

test.each([
  ["", 'time: invalid duration ""'], ["abc", 'time: invalid duration "abc"'], ["5", 'time: missing unit in duration "5"'], ["1x", 'time: unknown unit "x" in duration "1x"'], ["-", 'time: invalid duration "-"'],
  [".s", 'time: invalid duration ".s"'], ["1__proto__", 'time: unknown unit "__proto__" in duration "1__proto__"'], ["9999999999999h", 'time: invalid duration "9999999999999h"'],
])("%s is none", (text, words) => expect(() => parseGoDuration(text)).toThrow(words));

test("any text is a number or an Error", () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[-+0-9.hmsunµ]*$/)), (text) => {
    try {
      expect(Number.isFinite(parseGoDuration(text))).toBe(true);
    } catch (error) {
      expect((error as Error).message).toStartWith("time: ");
    }
  }));
});

test.each([[0, "0s"], [300, "300ms"], [1500, "1.5s"], [15_000.4, "15s"], [120_000, "2m0s"], [3_661_001, "1h1m1.001s"], [-1000, "-1s"]])("%p ms is written %p", (ms, text) => {
  expect(formatGoDuration(ms)).toBe(text);
});
