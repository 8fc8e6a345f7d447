import { expect, test } from "bun:test";
import { refusalLog } from "./refusals.ts";

function watched() {
  const lines: string[] = [];
  const silent = { debug() {}, info() {}, error() {} };
  return { lines, refusals: refusalLog({ ...silent, warn: (_message, { node, error } = {}) => void lines.push(`${String(node)} ${(error as Error).message}`) }) };
}
const of = (node: string, message: string) => ({ node, address: "192.0.2.1", error: new Error(message) });

test("a machine that tries again and again is told of once, and again for another reason", () => {
  const { lines, refusals } = watched();
  for (const refusal of [of("a", "no token"), of("a", "no token"), of("b", "no token"), of("a", "taken"), of("a", "taken")]) refusals.refused(refusal);
  expect(lines).toEqual(["a no token", "b no token", "a taken"]);
});

test("one that was let in meanwhile is news", () => {
  const { lines, refusals } = watched();
  refusals.refused(of("a", "taken"));
  refusals.admitted(of("a", ""));
  refusals.refused(of("a", "taken"));
  expect(lines).toEqual(["a taken", "a taken"]);
});

test("names without end take no memory without end", () => {
  const { lines, refusals } = watched();
  for (let n = 0; n < 1001; n++) refusals.refused(of(`n${n}`, "no token"));
  refusals.refused(of("n0", "no token"));
  refusals.refused(of("n1000", "no token"));
  expect(lines.length).toBe(1002);
});
