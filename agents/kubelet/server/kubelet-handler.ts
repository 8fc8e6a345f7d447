import type { HttpHandler, HttpRequest, HttpResponse } from "../../../src/base/http.ts";
import type { Logger } from "../../../src/base/log.ts";
import { badRequest, internalError, noSuchPath, notFound, StatusError } from "../../../src/apimachinery/status.ts";
import { findContainer, type Pod } from "../pod/pod.ts";
import type { PodWorker } from "../pod/pod-worker.ts";
import { currentSandbox, latestContainer, type RuntimePod } from "../runtime/runtime-status.ts";
import type { Streaming } from "../streaming/streaming.ts";
import { serveLogs } from "./container-logs.ts";
import { serveSystemLogs } from "./system-logs.ts";
import { statsRoutes, type StatsRoutesOptions } from "./stats-routes.ts";

export interface KubeletHandlerOptions {
  log: Logger;
  now(): number;
  findPod(namespace: string, name: string): PodWorker | undefined;
  pods(): readonly Pod[];
  /** What the runtime has, wanted or not. */
  runningPods(): Promise<readonly Pod[]>;
  read(uid: string): Promise<RuntimePod>;
  streaming: Streaming;
  stats: StatsRoutesOptions;
}

const systemLogDirectory = "/var/log";

type Route = (request: HttpRequest, response: HttpResponse, path: readonly string[], query: URLSearchParams) => void | Promise<void>;

/**
 * The kubelet's own API, as the API server speaks it: `/containerLogs/<namespace>/<pod>/<container>`, `/exec/…`, `/attach/…`, `/portForward/<namespace>/<pod>`, `/pods`, `/runningpods/`, `/stats/summary`,
 * `/metrics…`, `/healthz`, `/logs/…`.
 * It trusts its caller: whoever puts it on a network checks first who is asking.
 */
export function kubeletHandler(options: KubeletHandlerOptions): HttpHandler {
  const target = (path: readonly string[]): { worker: PodWorker; container: string } => {
    const [namespace = "", name = "", ...rest] = path;
    const worker = options.findPod(namespace, name);
    // A uid may stand before the container's name.
    if (!worker || (rest.length > 1 && rest[0] !== worker.uid)) throw notFound({ group: "", resource: "pods" }, name);
    return { worker, container: rest.at(-1) ?? "" };
  };
  const runningContainer = async (path: readonly string[]): Promise<string> => {
    const { worker, container } = target(path);
    const running = latestContainer(await options.read(worker.uid), container);
    if (!findContainer(worker.pod, container) || running?.state !== "running") throw notFound({ group: "", resource: "containers" }, container);
    return running.id;
  };

  const routes: Record<string, Route> = {
    ...statsRoutes(options.stats),
    healthz: (_, response) => response.send(200, { "Content-Type": "text/plain; charset=utf-8" }, "ok"),
    pods: (_, response) => sendPods(response, options.pods()),
    runningpods: async (_, response) => sendPods(response, await options.runningPods()),
    containerLogs: (request, response, path, query) => {
      const { worker, container } = target(path);
      return serveLogs(request, response, { worker, container, query, now: options.now(), read: () => options.read(worker.uid) });
    },
    logs: (request, response, path) => serveSystemLogs(request, response, systemLogDirectory, path),
    exec: async (request, response, path, query) => {
      const command = query.getAll("command");
      if (command.length === 0) throw badRequest("you must specify at least one argument for the command");
      return options.streaming.exec(request, response, { containerId: await runningContainer(path), command, ...streamsOf(query) });
    },
    attach: async (request, response, path, query) => options.streaming.attach(request, response, { containerId: await runningContainer(path), ...streamsOf(query) }),
    portForward: async (request, response, path, query) => {
      const { worker } = target(path);
      const sandbox = currentSandbox(await options.read(worker.uid));
      if (!sandbox?.ready) throw badRequest(`pod ${worker.pod.metadata.namespace}/${worker.pod.metadata.name} is not running`);
      const ports = [...query.getAll("port"), ...query.getAll("ports")].flatMap((list) => list.split(",")).map(Number);
      return options.streaming.portForward(request, response, { podSandboxId: sandbox.id, ports });
    },
  };

  return async (request, response) => {
    const url = new URL(request.url, "http://kubelet");
    const [name = "", ...path] = url.pathname.slice(1).split("/").map(decodeURIComponent);
    try {
      const route = Object.hasOwn(routes, name) ? routes[name] : undefined;
      if (!route) throw noSuchPath();
      await route(request, response, path, url.searchParams);
    } catch (error) {
      const { status } = error instanceof StatusError ? error : internalError(error);
      if (request.signal.aborted) options.log.debug("Client has gone away", { path: url.pathname });
      else if (status.code >= 500) options.log.warn("Kubelet request failed", { path: url.pathname, error });
      // As the kubelet does: the bare message, which the API server wraps.
      if (!response.started) response.send(status.code, { "Content-Type": "text/plain; charset=utf-8" }, status.message);
    }
  };
}

const sendPods = (response: HttpResponse, items: readonly Pod[]): void =>
  response.send(200, { "Content-Type": "application/json" }, JSON.stringify({ kind: "PodList", apiVersion: "v1", metadata: {}, items }));

/** The kubelet's own names, and those of the API. */
function streamsOf(query: URLSearchParams): { stdin: boolean; stdout: boolean; stderr: boolean; tty: boolean } {
  const on = (...names: string[]): boolean => names.some((name) => ["1", "true"].includes(query.get(name) ?? ""));
  return { stdin: on("input", "stdin"), stdout: on("output", "stdout"), stderr: on("error", "stderr"), tty: on("tty") };
}
