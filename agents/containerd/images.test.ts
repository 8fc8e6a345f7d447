import { expect, test } from "bun:test";
import { mayBeUnfinished } from "./images.ts";

const now = Date.parse("2026-01-01T00:00:00Z");

test.each([
  ["just now", 0, true],
  ["a moment ago", -400, true],
  ["a second ago", -1000, false],
  ["a moment ahead, as a clock that is slewed has it", 100, true],
  ["in an hour, by a clock that is ahead of ours", 3_600_000, false],
] as const)("an archive that was written %s", (_, ms, expected) => expect(mayBeUnfinished(now + ms, now)).toBe(expected));
