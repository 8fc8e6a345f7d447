import type { HttpRequest, HttpResponse } from "../../../src/base/http.ts";
import { badRequest, notFound } from "../../../src/apimachinery/status.ts";
import { parseLogOptions } from "../logs/log-options.ts";
import { readLogs } from "../logs/read-logs.ts";
import { findContainer, type Pod } from "../pod/pod.ts";
import type { PodWorker } from "../pod/pod-worker.ts";
import type { RuntimeContainer, RuntimePod } from "../runtime/runtime-status.ts";

export interface LogRequest {
  worker: PodWorker;
  container: string;
  query: URLSearchParams;
  now: number;
  read(): Promise<RuntimePod>;
}

/** Answers with the container's log as text, streamed; follows it as long as the container runs when asked to. */
export async function serveLogs(request: HttpRequest, response: HttpResponse, { worker, container, query, now, read }: LogRequest): Promise<void> {
  const options = parseLogOptions(query, now);
  if (!findContainer(worker.pod, container)) throw notFound({ group: "", resource: "containers" }, container);
  const chosen = choose(await read(), worker.pod, container, options.previous);
  const stream = response.stream(200, { "Content-Type": "text/plain; charset=utf-8" });
  try {
    await readLogs(chosen.logPath, options, stream, { signal: request.signal, finished: endOf(worker, chosen) });
  } finally {
    stream.end();
  }
}

/** Says whether the container has ended. Its worker looks when it has started all that it starts, which may take long: what it has not seen yet runs on. */
function endOf(worker: PodWorker, { id, state }: RuntimeContainer): () => boolean {
  let seen = state !== "running";
  return () => {
    seen ||= worker.removed || worker.runtime?.containers.some((container) => container.id === id && container.state !== "created") === true;
    return seen && !worker.active.has(id);
  };
}

/** What Kubernetes says of a container that waits, where that isn't its reason. */
const waitingFor: Readonly<Record<string, string>> = { ErrImagePull: "image can't be pulled", ImagePullBackOff: "trying and failing to pull image" };

/** The container whose log is meant; a 400 in Kubernetes' words when it has none yet. Source: kubelet validateContainerLogStatus. */
function choose(runtime: RuntimePod, { metadata: { name: podName }, status }: Pod, name: string, previous: boolean): RuntimeContainer {
  const [current, before] = runtime.containers.filter((container) => container.name === name && container.state !== "created");
  // A container that waits to come back has its last run as its current log.
  if (previous) {
    if (before) return before;
    throw badRequest(`previous terminated container "${name}" in pod "${podName}" not found`);
  }
  if (current) return current;
  const statuses = [...status?.initContainerStatuses ?? [], ...status?.containerStatuses ?? [], ...status?.ephemeralContainerStatuses ?? []];
  const reason = statuses.find((each) => each.name === name)?.state?.waiting?.reason ?? "ContainerCreating";
  throw badRequest(`container "${name}" in pod "${podName}" is waiting to start: ${waitingFor[reason] ?? reason}`);
}
