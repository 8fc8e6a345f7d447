import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import type { Pod } from "../pod/pod.ts";
import { PodCgroups } from "./cgroups.ts";
import { CgroupV2, type CgroupWriter } from "./v2.ts";

let root: string;
/** Groups with processes of their own. */
let populated: Set<string>;
let kernel: CgroupWriter;
let writes: string[];
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const refuse = (code: string): never => {
  throw Object.assign(new Error(code), { code });
};

/** Refuses what the kernel refuses: files of controllers that are not enabled above, and handing down what a group hasn't, or with processes in it. */
function fakeKernel(): CgroupWriter {
  const words = (directory: string, file: string): string[] => readFileSync(join(directory, file), "utf8").split(" ").filter(Boolean);
  return {
    mkdir(directory) {
      mkdirSync(directory);
      writeFileSync(join(directory, "cgroup.controllers"), readFileSync(join(dirname(directory), "cgroup.subtree_control")));
      writeFileSync(join(directory, "cgroup.subtree_control"), "");
    },
    write(file, text) {
      const directory = dirname(file);
      writes.push(`${file.slice(root.length)}=${text}`);
      if (basename(file) !== "cgroup.subtree_control") {
        if (!words(directory, "cgroup.controllers").includes(basename(file).split(".")[0]!)) refuse("EACCES");
        return writeFileSync(file, text);
      }
      const controller = text.slice(1);
      if (!words(directory, "cgroup.controllers").includes(controller)) refuse("ENOENT");
      if (controller === "cpuset") refuse("EINVAL");
      // The others can be handed down to threads.
      if (controller === "memory" && populated.has(directory.slice(root.length))) refuse(words(directory, "cgroup.subtree_control").length ? "ENOTSUP" : "EBUSY");
      for (const [at, list] of [[directory, "cgroup.subtree_control"], ...childrenOf(directory).map((child) => [child, "cgroup.controllers"])] as const) writeFileSync(join(at, list), [...new Set([...words(at, list), controller])].join(" "));
    },
  };
}
const childrenOf = (directory: string): string[] => [...new Bun.Glob("*/cgroup.controllers").scanSync(directory)].map((file) => join(directory, dirname(file)));

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "skiff-cgroup-"));
  populated = new Set();
  writes = [];
  kernel = fakeKernel();
  writeFileSync(join(root, "cgroup.controllers"), "cpuset cpu io memory pids rdma");
  writeFileSync(join(root, "cgroup.subtree_control"), "memory pids");
});
afterEach(() => rmSync(root, { recursive: true }));

const burstable: Pod = { metadata: { uid: "u1" }, spec: { containers: [{ name: "c", resources: { requests: { cpu: "100m" }, limits: { cpu: "200m", memory: "1Mi" } } }] } };
const pods = (): PodCgroups => new PodCgroups(new CgroupV2(root, kernel), "/kubepods", 50);

test("controllers are handed down from the root, one by one, then the limits", () => {
  pods().apply(burstable);
  expect(read("cgroup.subtree_control")).toBe("memory pids cpu io");
  expect(read("kubepods/burstable/cgroup.subtree_control")).toBe("memory cpu pids io");
  const file = (name: string): string => read(`kubepods/burstable/podu1/${name}`);
  expect([file("cpu.weight"), file("cpu.max"), file("memory.max"), file("pids.max")]).toEqual(["4", "20000 100000", "1048576", "50"]);
  expect(writes).not.toContain("/cgroup.subtree_control=+memory");
});

test("groups that are there without controllers get them; those that have them are left alone", () => {
  for (const path of ["kubepods", "kubepods/burstable", "kubepods/burstable/podu1"]) kernel.mkdir(join(root, path));
  const first = pods();
  first.init();
  first.apply(burstable);
  expect(read("kubepods/burstable/podu1/cpu.max")).toBe("20000 100000");
  writes = [];
  pods().init();
  expect(writes).toEqual(["/kubepods/burstable/cpu.weight=1", "/kubepods/besteffort/cpu.weight=1"]);
});

test("a controller that is off is told in words", () => {
  writeFileSync(join(root, "cgroup.controllers"), "cpuset cpu io pids");
  expect(() => pods().init()).toThrow("the kernel's memory controller for control groups is off, or in use by a cgroup v1 mount: boot with cgroup_enable=memory on the kernel command line (on a Raspberry Pi: add cgroup_memory=1 cgroup_enable=memory to the one line in /boot/firmware/cmdline.txt)");
  writeFileSync(join(root, "cgroup.controllers"), "cpu memory");
  expect(() => pods().init()).toThrow("the kernel's pids controller for control groups is off");
});

test("so is a group that can't hand its controllers down", () => {
  kernel.mkdir(join(root, "kubepods"));
  populated.add("/kubepods");
  expect(() => pods().init()).toThrow(`the memory controller cannot be handed down in ${join(root, "kubepods")}: processes run in the group itself`);
});

test("swap has limits where the kernel counts it", () => {
  const groups = pods();
  groups.init();
  expect(groups.limitsSwap).toBe(false);
  writeFileSync(join(root, "kubepods/memory.swap.max"), "max");
  expect(groups.limitsSwap).toBe(true);
  expect(existsSync(join(root, "kubepods/besteffort"))).toBe(true);
});
