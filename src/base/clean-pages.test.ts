import { readFileSync } from "node:fs";
import { expect, test } from "bun:test";
import { cleanMappings, unmapCleanPages } from "./clean-pages.ts";

const mapping = (line: string, { anonymous = 0, swap = 0 } = {}): string =>
  `${line}\nSize:                 96 kB\nRss:                  64 kB\nAnonymous:            ${anonymous} kB\nAnonHugePages:         0 kB\nSwap:                 ${swap} kB\nSwapPss:               ${swap} kB\nVmFlags: rd mr mw me\n`;
const code = "00001000-00019000 r-xp 01838000 fe:00 11067410                           /usr/local/bin/skiff";

test.each([
  ["code", code, {}, true],
  ["constants", "00001000-00019000 r--p 00000000 fe:00 11067410                           /usr/local/bin/skiff", {}, true],
  ["an executable replaced since", `${code} (deleted)`, {}, true],
  ["what the linker may have written", "00001000-00019000 r--p 06656000 fe:00 11067410                           /usr/local/bin/skiff", {}, false],
  ["code with addresses written into it", code, { anonymous: 4 }, false],
  ["the same, swapped out", code, { swap: 4 }, false],
  ["variables", "00001000-00019000 rw-p 0665e000 fe:00 11067410                           /usr/local/bin/skiff", {}, false],
  ["a shared file", "00001000-00019000 r--s 00000000 fe:00 4711                           /var/lib/skiff/agent/node.db-shm", {}, false],
  ["memory of no file", "00001000-00019000 r-xp 00000000 00:00 0 ", {}, false],
  ["the kernel's own", "00001000-00019000 r-xp 00000000 00:00 0                          [vdso]", {}, false],
])("%s", (_, line, written, clean) => {
  const heap = mapping("055d8000-05b3c000 rw-p 00000000 00:00 0                                  [heap]", { anonymous: 2060 });
  expect(cleanMappings(heap + mapping(line, written) + heap)).toEqual(clean ? [{ start: 0x1000, bytes: 0x18000 }] : []);
});

test("most of the executable leaves memory, and goes on", () => {
  const ofFiles = (): number => Number(/^RssFile:\s+(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))![1]);
  const before = ofFiles();
  unmapCleanPages();
  expect(ofFiles()).toBeLessThan(before / 2);
  unmapCleanPages();
});
