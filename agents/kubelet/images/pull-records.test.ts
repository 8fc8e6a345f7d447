import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ImagePullCredentialsVerificationPolicy } from "../../../src/apis/kubeletconfig/kubelet-settings.ts";
import { logger } from "../../../src/base/log.ts";
import { PullRecords, type Credential } from "./pull-records.ts";

let directory = "";
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), "skiff-pulls-"))));
afterEach(() => rmSync(directory, { recursive: true }));

const file = (): string => join(directory, "image-pulls.json");
const records = (policy: ImagePullCredentialsVerificationPolicy = "NeverVerifyPreloadedImages"): PullRecords => new PullRecords(file(), policy, logger("test"));
const credential = (secret: string, password: string): Credential => ({ auth: { username: "u", password }, secret });
const mine = credential("ns/mine/1", "one"), image = "registry.example.com/app:1", id = "sha256:1";

test("an image that was pulled with a secret is for those who have it, or what is in it", () => {
  const known = records();
  known.begin(image);
  known.succeeded(image, id, mine);
  expect(known.mayUse(image, id, [])).toBeFalse();
  expect(known.mayUse(image, id, [credential("ns/other/2", "two")])).toBeFalse();
  expect(known.mayUse(image, id, [credential("else/copy/3", "one")])).toBeTrue();
  expect(known.mayUse(image, id, [credential("ns/mine/1", "changed since")])).toBeTrue();
  expect(known.mayUse("registry.example.com/app:2", id, [mine])).toBeTrue();
  expect(known.mayUse("other.example.com/app:1", id, [mine])).toBeFalse();
});

test("one that was pulled without is for everybody, as is one that nobody here has pulled", () => {
  const known = records();
  known.succeeded(image, id, undefined);
  expect(known.mayUse(image, id, [])).toBeTrue();
  expect(known.mayUse("imported:1", "sha256:2", [])).toBeTrue();
  expect(records("AlwaysVerify").mayUse("imported:1", "sha256:2", [])).toBeFalse();
});

test("a pull that a crash cut off makes nothing preloaded; one that failed does not count", () => {
  records().begin(image);
  expect(records().mayUse(image, id, [])).toBeFalse();
  records().failed(image);
  expect(records().mayUse(image, id, [])).toBeTrue();
});

test("it is remembered, without the secret, as long as the image is there", () => {
  records().succeeded(image, id, mine);
  expect(records().mayUse(image, id, [])).toBeFalse();
  expect(readFileSync(file(), "utf8")).not.toContain("one");
  expect(records("NeverVerify").mayUse(image, id, [])).toBeTrue();
  records().retain(new Set());
  expect(records().mayUse(image, id, [])).toBeTrue();
});

test("a file that makes no sense is set aside", () => {
  writeFileSync(file(), "[]");
  expect(records().mayUse(image, id, [])).toBeTrue();
  expect(readFileSync(`${file()}.corrupt`, "utf8")).toBe("[]");
});
