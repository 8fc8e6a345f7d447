import { expect, test } from "bun:test";
import type { ContainerStatus } from "../../../src/apis/generated/core/v1.ts";
import type { HttpRequest, HttpResponse } from "../../../src/base/http.ts";
import type { PodWorker } from "../pod/pod-worker.ts";
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
