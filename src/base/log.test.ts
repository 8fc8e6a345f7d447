import { afterEach, expect, test } from "bun:test";
import { configureLogging, logger } from "./log.ts";

afterEach(() => configureLogging({ level: "info", format: "text" }));

function written(fields: Record<string, unknown>): string {
  let text = "";
  configureLogging({ level: "info", format: "text", write: (line) => void (text += line) });
  logger("test").info("said", fields);
  return text.slice(text.indexOf("said")).trim();
}

test("an error is told with its cause, which is not told twice", () => {
  expect(written({ error: new Error("no list", { cause: new Error("refused") }) })).toBe('said error="no list: refused"');
  expect(written({ error: new Error("cannot reach it: refused", { cause: new Error("refused") }) })).toBe('said error="cannot reach it: refused"');
});

test("texts stand side by side, in quotes where they need them", () => {
  expect(written({ networks: ["10.42.0.0/24", "fd00::/64"] })).toBe("said networks=10.42.0.0/24,fd00::/64");
  expect(written({ names: ["a b"], none: [], numbers: [1, 2] })).toBe('said names="a b" none=[] numbers=[1,2]');
});
