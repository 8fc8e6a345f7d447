import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { addQuantities, canonicalQuantity, compareQuantities, formatQuantity, milliValue, parseQuantity, subtractQuantities, value } from "./quantity.ts";

const canonical: [text: string | number, form: string][] = [
  ["0", "0"], ["-0", "0"], ["0Gi", "0"], [1, "1"], [0.1, "100m"], ["1000m", "1"], ["100m", "100m"], ["1500m", "1500m"], ["0.5Gi", "512Mi"], ["1.5Gi", "1536Mi"],
  ["1024Ki", "1Mi"], ["1023Ki", "1023Ki"], ["0.1Ki", "102400m"], ["1Ki", "1Ki"], ["1000", "1k"], ["1500", "1500"], ["1k", "1k"], ["1000k", "1M"], ["1024", "1024"], ["1e3", "1e3"],
  ["1.5e3", "1500"], ["12E6", "12e6"], ["1E", "1E"], ["1n", "1n"], ["0.1n", "1n"], ["-0.1n", "-1n"], ["1e-3", "1e-3"], ["+5", "5"], [".5", "500m"], ["5.", "5"], ["8Ei", "9223372036854775807"],
  ["-1Mi", "-1Mi"], ["1e99999999", "9223372036854775807"], ["100Mi", "100Mi"], ["123456789012", "123456789012"],
];
const refused = ["", " ", "a", "1..2", "1.2.3", "1Kii", "1x", ".", "+", "1 Gi", "0x10", "1e", "1ki", "--1", "Infinity", "NaN"];

describe("quantities", () => {
  for (const [text, form] of canonical) test(`${text} is ${form}`, () => expect(canonicalQuantity(text)).toBe(form));
  for (const text of refused) test(`refuses ${JSON.stringify(text)}`, () => expect(() => parseQuantity(text)).toThrow(/quantit/));

  test("values round away from zero", () => {
    expect([value("1500m"), value("1Mi"), value("-1500m"), milliValue("1n"), milliValue("250m"), milliValue("2")]).toEqual([2, 1048576, -2, 1, 250, 2000]);
  });
  test("sums keep the format of the first, unless it is zero", () => {
    expect(formatQuantity(addQuantities("1Gi", "1024"))).toBe("1048577Ki");
    expect(formatQuantity(addQuantities("0", "1Gi"))).toBe("1Gi");
    expect(formatQuantity(addQuantities("100m", "0.9"))).toBe("1");
    expect(formatQuantity(subtractQuantities("1", "250m"))).toBe("750m");
    expect(formatQuantity(subtractQuantities("1Mi", "1Mi"))).toBe("0");
  });
  test("compare as numbers", () => {
    expect([compareQuantities("1Gi", "1G"), compareQuantities("1000m", 1), compareQuantities("1n", "1")]).toEqual([1, 0, -1]);
  });

  const suffix = fc.constantFrom("", "n", "u", "m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti", "e3", "E-2");
  const quantity = fc.tuple(fc.integer({ min: -99999, max: 99999 }), fc.option(fc.integer({ min: 0, max: 999 })), suffix)
    .map(([whole, fraction, unit]) => `${whole}${fraction === null ? "" : `.${fraction}`}${unit}`);
  test("the canonical form is stable and worth the same", () => {
    fc.assert(fc.property(quantity, (text) => {
      const form = canonicalQuantity(text);
      expect(canonicalQuantity(form)).toBe(form);
      expect(compareQuantities(form, text)).toBe(0);
    }));
  });
  test("what is added can be taken away again", () => {
    fc.assert(fc.property(quantity, quantity, (a, b) => expect(compareQuantities(subtractQuantities(addQuantities(a, b), b), a)).toBe(0)));
  });
});
