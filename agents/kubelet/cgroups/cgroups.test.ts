import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Pod } from "../pod/pod.ts";
import { openCgroups, PodCgroups } from "./cgroups.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "skiff-cgroup-"));
});
afterEach(() => rmSync(root, { recursive: true }));

const put = (path: string, text = ""): void => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
};
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const burstable: Pod = { metadata: { uid: "u1" }, spec: { containers: [{ name: "c", resources: { requests: { cpu: "100m" }, limits: { cpu: "200m", memory: "1Mi" } } }] } };

test("v1: one directory per controller, limits where the kernel has the file", () => {
  for (const controller of ["cpu", "memory", "pids", "systemd"]) mkdirSync(join(root, controller));
  const group = "kubepods/burstable/podu1";
  for (const file of ["cpu/cpu.shares", "cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us", "memory/memory.limit_in_bytes", "pids/pids.max"]) put(file.replace("/", `/${group}/`));
  const cgroups = new PodCgroups(openCgroups(root), "/kubepods", 50);
  expect(cgroups.apply(burstable)).toBe("/kubepods/burstable/podu1");
  expect([read(`cpu/${group}/cpu.shares`), read(`cpu/${group}/cpu.cfs_quota_us`), read(`memory/${group}/memory.limit_in_bytes`), read(`pids/${group}/pids.max`)]).toEqual(["102", "20000", "1048576", "50"]);
  expect(cgroups.uids()).toEqual(["u1"]);
});

test("hybrid machines are v1 ones: their v2 hierarchy has no controllers", () => {
  put("memory/memory.limit_in_bytes");
  put("unified/cgroup.controllers");
  expect(openCgroups(root).version).toBe(1);
  put("cgroup.controllers", "cpu memory pids\n");
  expect(openCgroups(root).version).toBe(2);
});

test("groups go with all below them, in every hierarchy", () => {
  for (const path of ["cpu/kubepods/besteffort/podx/abc/def", "systemd/kubepods/besteffort/podx/abc", "memory/kubepods/podx"]) mkdirSync(join(root, path), { recursive: true });
  const cgroups = new PodCgroups(openCgroups(root), "/kubepods");
  cgroups.remove("x");
  for (const path of ["cpu/kubepods/besteffort/podx", "systemd/kubepods/besteffort/podx", "memory/kubepods/podx"]) expect(existsSync(join(root, path))).toBe(false);
  expect(existsSync(join(root, "cpu/kubepods/besteffort"))).toBe(true);
});
