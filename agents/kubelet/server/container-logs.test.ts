import { expect, test } from "bun:test";
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ContainerStatus } from "../../../src/apis/generated/core/v1.ts";
import type { HttpRequest, HttpResponse } from "../../../src/base/http.ts";
import { eventually } from "../../../test/support/eventually.ts";
import type { PodWorker } from "../pod/pod-worker.ts";
import type { RuntimePod } from "../runtime/runtime-status.ts";
import { serveLogs } from "./container-logs.ts";

const status = (name: string, reason: string): ContainerStatus => ({ name, ready: false, restartCount: 0, image: "", imageID: "", state: { waiting: { reason } } });

const pod = {
  metadata: { name: "p", namespace: "default", uid: "u" },
  spec: { containers: ["a", "b", "c", "d"].map((name) => ({ name })), initContainers: [{ name: "i" }] },
  status: { containerStatuses: [status("a", "ImagePullBackOff"), status("b", "PodInitializing"), status("c", "ErrImagePull")], initContainerStatuses: [status("i", "CreateContainerConfigError")] },
};

/** Asks for the log of a container that the runtime knows nothing of. */
const refused = (container: string, query = ""): Promise<void> =>
  serveLogs({} as HttpRequest, {} as HttpResponse, {
    worker: { pod } as unknown as PodWorker, container, query: new URLSearchParams(query), now: 0, read: async () => ({ uid: "u", name: "p", namespace: "default", sandboxes: [], containers: [] }),
  });

test.each([
  ["a", "trying and failing to pull image"], ["b", "PodInitializing"], ["c", "image can't be pulled"], ["d", "ContainerCreating"], ["i", "CreateContainerConfigError"],
])("the log of the waiting container %s", async (name, reason) => {
  expect(refused(name)).rejects.toMatchObject({ code: 400, message: `container "${name}" in pod "p" is waiting to start: ${reason}` });
});

test("the log of a run that never was", async () => {
  expect(refused("a", "previous=true")).rejects.toMatchObject({ code: 400, message: 'previous terminated container "a" in pod "p" not found' });
});

test("a log is followed while the pod's other containers are still being started, and to its container's end", async () => {
  const directory = mkdtempSync(join(tmpdir(), "skiff-logs-")), logPath = join(directory, "0.log");
  const line = (text: string): string => `2026-01-01T00:00:00.000000000Z stdout F ${text}\n`;
  const runtime = (state: "running" | "exited") => ({ uid: "u", name: "p", namespace: "default", sandboxes: [], containers: [{ id: "c1", name: "a", state, logPath }] }) as unknown as RuntimePod;
  // It has not looked since it has started the container.
  const worker = { pod, removed: false, active: new Set<string>(), runtime: { ...runtime("running"), containers: [] } as RuntimePod };
  let text = "";
  const stream = { write: (chunk: Uint8Array) => ((text += Buffer.from(chunk).toString()), true), drained: async () => undefined, end: () => undefined };
  try {
    writeFileSync(logPath, line("one"));
    const served = serveLogs({ signal: new AbortController().signal } as HttpRequest, { stream: () => stream } as unknown as HttpResponse, {
      worker: worker as unknown as PodWorker, container: "a", query: new URLSearchParams("follow=true"), now: 0, read: async () => runtime("running"),
    });
    await eventually(() => expect(text).toBe("one\n"));
    appendFileSync(logPath, line("two"));
    await eventually(() => expect(text).toBe("one\ntwo\n"));
    Object.assign(worker, { runtime: runtime("running"), active: new Set(["c1"]) });
    appendFileSync(logPath, line("three"));
    await eventually(() => expect(text).toBe("one\ntwo\nthree\n"));
    Object.assign(worker, { runtime: runtime("exited"), active: new Set() });
    await served;
  } finally {
    rmSync(directory, { recursive: true });
  }
});
