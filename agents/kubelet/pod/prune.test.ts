import { expect, test } from "bun:test";
import type { RuntimeContainer, RuntimePod } from "../runtime/runtime-status.ts";
import { prunable } from "./prune.ts";

const container = (name: string, number: number, sandboxId: string, state: RuntimeContainer["state"] = "exited") => ({ id: `${name}${number}`, name, sandboxId, state }) as RuntimeContainer;
const sandbox = (id: string, ready = false) => ({ id, ready, attempt: 0, createdAt: 0, ips: [], hostNetwork: false });
const podOf = (containers: RuntimeContainer[], sandboxes: RuntimePod["sandboxes"]): RuntimePod => ({ uid: "u", name: "p", namespace: "n", containers, sandboxes });

test("the current container and the last before it stay; a dead sandbox goes when nothing of it is left", () => {
  const pod = podOf([container("a", 3, "s2", "running"), container("a", 2, "s1"), container("a", 1, "s0"), container("b", 0, "s1")], [sandbox("s2", true), sandbox("s1"), sandbox("s0")]);
  const { containers, sandboxes } = prunable(pod);
  expect([containers.map(({ id }) => id), sandboxes]).toEqual([["a1"], ["s0"]]);
});

test("nothing that runs, and never the newest sandbox", () => {
  const pod = podOf([container("a", 2, "s0"), container("a", 1, "s0"), container("a", 0, "s0", "running")], [sandbox("s0")]);
  expect(prunable(pod)).toEqual({ containers: [], sandboxes: [] });
});
