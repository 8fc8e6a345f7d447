import { expect, test } from "bun:test";
import { lostShims, readProcesses, type Process } from "./lost-shims.ts";

const shim = (pid: number, id: string, more: Partial<Process> = {}, socket = "/run/a.sock"): Process =>
  ({ pid, parent: 1, startedAt: 100, command: ["/usr/bin/containerd-shim-runc-v2", "-namespace", "k8s.io", "-id", id, "-address", socket], ...more });
const containerd: Process = { pid: 7, parent: 1, startedAt: 200, command: ["containerd", "--config", "c"] };
const lost = (...processes: Process[]): number[] => lostShims([containerd, ...processes], { containerd: 7, socket: "/run/a.sock", sandboxes: new Set(["known"]) });

test("a shim that containerd doesn't know, older than it and without a process, is lost", () => expect(lost(shim(10, "gone"))).toEqual([10]));

test.each<[string, Process[]]>([
  ["one that containerd knows", [shim(10, "known")]],
  ["one of another containerd", [shim(10, "gone", {}, "/run/b.sock")]],
  ["one that this containerd has started, and knows in a moment", [shim(10, "gone", { startedAt: 201 })]],
  ["one that has a process to look after", [shim(10, "gone"), { pid: 11, parent: 10, startedAt: 150, command: ["/pause"] }]],
  ["what is no shim", [shim(10, "gone", { command: ["sleep", "-id", "gone", "-address", "/run/a.sock"] })]],
])("%s is not", (_, processes) => expect(lost(...processes)).toEqual([]));

test("nothing is, while containerd doesn't run", () => expect(lostShims([shim(10, "gone")], { containerd: 7, socket: "/run/a.sock", sandboxes: new Set() })).toEqual([]));

test("processes are read as the kernel shows them", async () => {
  await using child = Bun.spawn(["sleep", "1000"]);
  const all = readProcesses(), own = all.find(({ pid }) => pid === process.pid)!, its = all.find(({ pid }) => pid === child.pid)!;
  expect(its).toMatchObject({ parent: process.pid, command: ["sleep", "1000"] });
  expect(its.startedAt).toBeGreaterThan(own.startedAt);
  child.kill();
});
