import { expect, test } from "bun:test";
import { isPercent, scaledValue } from "./intstr.ts";

const cases: [value: number | string, total: number, up: number, down: number][] = [
  [3, 10, 3, 3], ["25%", 10, 3, 2], ["50%", 10, 5, 5], ["0%", 7, 0, 0], ["100%", 7, 7, 7], ["33%", 1, 1, 0], ["25%", 0, 0, 0], ["150%", 2, 3, 3],
];
for (const [value, total, up, down] of cases) {
  test(`${value} of ${total}`, () => {
    expect(scaledValue(value, total, true)).toBe(up);
    expect(scaledValue(value, total, false)).toBe(down);
  });
}
test("a string that is no percentage", () => {
  expect(() => scaledValue("http", 3, true)).toThrow("not a percentage");
  expect([isPercent("5%"), isPercent("5"), isPercent(5)]).toEqual([true, false, false]);
});
