import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { logger } from "../base/log.ts";
import { kubeletDirectory } from "./kubelet-directory.ts";
import { layoutOf, type Layout } from "./layout.ts";

let root: string, layout: Layout;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "skiff-kubelet-dir-"));
  layout = { ...layoutOf(join(root, "data")), usualKubeletDir: join(root, "usual") };
});
afterEach(() => rmSync(root, { recursive: true }));

const chosen = (given?: string): string => kubeletDirectory(layout, given, logger("test"));
const own = (): string => join(root, "data/agent/kubelet"), usual = (): string => join(root, "usual");

test("the usual place, and it stays that", () => {
  expect(chosen()).toBe(usual());
  mkdirSync(join(usual(), "pods"));
  expect(chosen()).toBe(usual());
  expect(readFileSync(join(usual(), ".skiff"), "utf8")).toBe(`${root}/data\n`);
});

test.each([
  ["where another kubelet has its pods", () => mkdirSync(join(usual(), "pods/x"), { recursive: true })],
  ["where another Skiff has its own", () => { mkdirSync(usual()); writeFileSync(join(usual(), ".skiff"), "/elsewhere\n"); }],
  ["with pods from before", () => mkdirSync(join(own(), "pods/x"), { recursive: true })],
  ["of another instance", () => { layout = layoutOf(join(root, "data")); }],
])("its own %s", (_, arrange) => {
  arrange();
  expect(chosen()).toBe(own());
});

test("what the user wants", () => expect(chosen(join(root, "ssd"))).toBe(join(root, "ssd")));
test("is that of the first instance alone", () => expect([layoutOf("/var/lib/skiff").usualKubeletDir, layoutOf("/mnt/skiff").usualKubeletDir]).toEqual(["/var/lib/kubelet", undefined]));
