import { expect, test } from "bun:test";
import { canonicalMicroTime, canonicalTime, formatTime } from "./time.ts";

const times: [text: string, seconds: string, micros: string][] = [
  ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000000Z"],
  ["2026-01-01T00:30:00.1234567+01:00", "2025-12-31T23:30:00Z", "2025-12-31T23:30:00.123456Z"],
  ["2026-06-30T23:59:59-08:00", "2026-07-01T07:59:59Z", "2026-07-01T07:59:59.000000Z"],
  ["2024-02-29T00:00:00.5Z", "2024-02-29T00:00:00Z", "2024-02-29T00:00:00.500000Z"],
];
for (const [text, seconds, micros] of times) {
  test(text, () => {
    expect(canonicalTime(text)).toBe(seconds);
    expect(canonicalMicroTime(text)).toBe(micros);
  });
}
for (const text of ["", "yesterday", "2026-01-02", "2026-01-02 03:04:05Z", "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-02T25:00:00Z", "2026-01-02T03:04:05"]) {
  test(`refuses ${JSON.stringify(text)}`, () => {
    expect(() => canonicalTime(text)).toThrow("parsing time");
    expect(() => canonicalMicroTime(text)).toThrow("parsing time");
  });
}
test("formats milliseconds", () => {
  expect(formatTime(1_700_000_000_999)).toBe("2023-11-14T22:13:20Z");
});
