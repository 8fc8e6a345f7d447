import { afterEach, beforeEach, expect, test } from "bun:test";
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../../../test/support/eventually.ts";
import { parseLogLine } from "./cri-log.ts";
import { parseLogOptions, type LogOptions } from "./log-options.ts";
import { readLogs } from "./read-logs.ts";
import { rotateLog, RotationPace } from "./rotation.ts";
import { tailOffset } from "./tail.ts";

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "skiff-logs-"));
  path = join(directory, "0.log");
});
afterEach(() => rmSync(directory, { recursive: true }));

const at = (second: number): string => `2026-01-01T00:00:0${second}.5Z`;
const line = (second: number, text: string, tag = "F", stream = "stdout"): string => `${at(second)} ${stream} ${tag} ${text}\n`;
const base: LogOptions = { follow: false, previous: false, timestamps: false };

async function read(options: Partial<LogOptions>, finished: () => boolean = () => true, during: (output: () => string) => Promise<void> = async () => {}): Promise<string> {
  let output = "";
  const stop = new AbortController();
  const reading = readLogs(path, { ...base, ...options }, { write: (bytes) => ((output += bytes.toString()), true), drained: () => Promise.resolve() }, { finished, signal: stop.signal });
  await during(() => output);
  await reading;
  return output;
}

test.each([
  ["2026-01-01T00:00:00.1Z stdout F hello world", { timestamp: "2026-01-01T00:00:00.1Z", stream: "stdout", partial: false, text: "hello world" }],
  ["t stderr P ", { timestamp: "t", stream: "stderr", partial: true, text: "" }], ["t stdout F:x y", { timestamp: "t", stream: "stdout", partial: false, text: "y" }],
  ["", undefined], ["garbage", undefined], ["t stdin F x", undefined],
] as const)("a line of the log: %p", (text, expected) => expect(parseLogLine(text)).toEqual(expected as ReturnType<typeof parseLogLine>));

test("partial lines are joined, timestamps told once a line, damage skipped", async () => {
  writeFileSync(path, line(1, "long ", "P") + line(2, "line") + "damaged\n" + line(3, "ünïcode ✓", "F", "stderr"));
  expect(await read({})).toBe("long line\nünïcode ✓\n");
  expect(await read({ timestamps: true })).toBe(`${at(1)} long line\n${at(3)} ünïcode ✓\n`);
  expect(await read({ since: Date.parse(at(3)) })).toBe("ünïcode ✓\n");
  expect(await read({ stream: "stdout" })).toBe("long line\n");
  expect(await read({ limitBytes: 4 })).toBe("long");
});

test("the tail is found from the end, across blocks", () => {
  const lines = Array.from({ length: 5000 }, (_, index) => line(1, `number ${index} ${"x".repeat(index % 90)}`));
  writeFileSync(path, lines.join(""));
  const content = readFileSync(path, "utf8");
  for (const count of [1, 2, 700, 4999, 5000, 6000]) expect(content.slice(tailOffset(path, count))).toBe(lines.slice(-count).join(""));
  expect(tailOffset(path, 0)).toBe(content.length);
});

test("following goes over to the new file when the log is rotated, and ends with the container", async () => {
  writeFileSync(path, line(1, "one"));
  let ended = false;
  const until = (output: () => string, text: string): Promise<void> => eventually(() => expect(output()).toContain(text));
  const output = await read({ follow: true }, () => ended, async (seen) => {
    await until(seen, "one");
    appendFileSync(path, line(2, "two"));
    await until(seen, "two");
    renameSync(path, `${path}.1`);
    writeFileSync(path, line(3, "three"));
    await until(seen, "three");
    ended = true;
    appendFileSync(path, line(4, "four"));
  });
  expect(output).toBe("one\ntwo\nthree\nfour\n");
});

test("what the runtime writes to the old file until it has the new one is not lost, nor what a container that ended wrote to the new one", async () => {
  writeFileSync(path, line(1, "one"));
  let ended = false;
  const reading = read({ follow: true }, () => ended, async (seen) => {
    await eventually(() => expect(seen()).toContain("one"));
    renameSync(path, `${path}.1`);
    writeFileSync(path, "");
    appendFileSync(`${path}.1`, line(2, "two"));
    await eventually(() => expect(seen()).toContain("two"));
    appendFileSync(`${path}.1`, line(3, "three"));
    writeFileSync(path, line(4, "four"));
    ended = true;
  });
  expect(await reading).toBe("one\ntwo\nthree\nfour\n");
});

test("without following there is an end, also when the container writes faster than is read", async () => {
  writeFileSync(path, line(1, "one"));
  let written = "";
  const sink = { write: (bytes: Buffer) => { written += bytes.toString(); appendFileSync(path, line(2, "more")); return false; }, drained: () => Promise.resolve() };
  await readLogs(path, { ...base, tailLines: 1 }, sink, { finished: () => false, signal: AbortSignal.timeout(60_000) });
  expect(written).toBe("one\n");
});

test("logs are looked at more often while one grows fast", () => {
  const pace = new RotationPace({ maxBytes: 1000, maxFiles: 2 }, { regularMs: 10_000, leastMs: 1000 }, 0);
  const next = (now: number, size: number, rotated = false): number => pace.next(new Map([["a", { size, rotated }], ["quiet", { size: 10, rotated: false }]]), now);
  expect([next(10_000, 100), next(20_000, 600), next(28_000, 1000, true), next(38_000, 5000, true), next(40_000, 900), next(41_000, 1350, true)]).toEqual([10_000, 8000, 10_000, 2000, 1000, 2222]);
});

test("a large log is moved aside, the runtime told, the oldest deleted", async () => {
  for (let round = 0; round < 4; round++) {
    writeFileSync(path, "x".repeat(100));
    expect(await rotateLog(path, { maxBytes: 100, maxFiles: 3 }, round * 1000, async () => writeFileSync(path, ""))).toEqual({ size: 100, rotated: true });
  }
  expect(readdirSync(directory).sort()).toEqual(["0.log", "0.log.19700101-000002", "0.log.19700101-000003"]);
  expect(await rotateLog(path, { maxBytes: 100, maxFiles: 3 }, 9000, async () => {})).toEqual({ size: 0, rotated: false });
});

test("a runtime that cannot reopen keeps its file", async () => {
  writeFileSync(path, "x".repeat(100));
  expect(rotateLog(path, { maxBytes: 100, maxFiles: 3 }, 0, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(readdirSync(directory)).toEqual(["0.log"]);
});

test.each([["tailLines=-1", "tailLines"], ["tailLines=x", "tailLines"], ["limitBytes=0", "limitBytes"], ["sinceTime=yesterday", "sinceTime"], ["sinceTime=2026-01-01T00:00:00Z&sinceSeconds=1", "at most one"]])("refused: %s", (query, message) => {
  expect(() => parseLogOptions(new URLSearchParams(query), 0)).toThrow(message);
});
