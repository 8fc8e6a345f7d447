import type { MetricsRegistry } from "../../base/metrics.ts";
import type { Exchange, Filter } from "../exchange.ts";
import { statusOf } from "./recovery.ts";
import { isLongRunning } from "./timeout.ts";

/** Fewer than Kubernetes': each bucket of each series is memory and scrape time. */
const buckets = [0.005, 0.025, 0.1, 0.5, 1, 5, 30, 60];
const labels = ["verb", "group", "version", "resource", "subresource", "scope"];

/** Counts and times requests under Kubernetes' names, so that its dashboards work. Long-running ones are counted, not timed. */
export function withMetrics({ metrics, isKnown }: {
  metrics: MetricsRegistry;
  /** Whether a resource and subresource are served: clients may not invent series. */
  isKnown(group: string, version: string, resource: string, subresource: string): boolean;
}): Filter {
  const total = metrics.counter({ name: "apiserver_request_total", help: "Counter of apiserver requests broken out for each verb, group, version, resource, scope and HTTP response code.", labels: [...labels, "code"] });
  const duration = metrics.histogram({ name: "apiserver_request_duration_seconds", help: "Response latency distribution in seconds for each verb, group, version, resource, subresource and scope.", labels, buckets });
  const inflight = metrics.gauge({ name: "apiserver_current_inflight_requests", help: "Number of requests being served, by kind.", labels: ["request_kind"] });
  const longrunning = metrics.gauge({ name: "apiserver_longrunning_requests", help: "Number of long-running requests being served.", labels: [] });

  return async (exchange, next) => {
    const began = performance.now();
    const settled = enter(exchange);
    let failure: unknown;
    try {
      await next(exchange);
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      settled();
      const series = seriesOf(exchange);
      total.inc([...series, String(exchange.status || statusOf(failure).code)]);
      if (!isLongRunning(exchange)) duration.observe((performance.now() - began) / 1000, series);
    }
  };

  function enter(exchange: Exchange): () => void {
    if (isLongRunning(exchange)) {
      longrunning.add(1);
      return () => longrunning.add(-1);
    }
    const kind = [["get", "list", "head", "options"].includes(exchange.info.verb) ? "readOnly" : "mutating"];
    inflight.add(1, kind);
    return () => inflight.add(-1, kind);
  }

  function seriesOf({ info, request }: Exchange): string[] {
    if (!info.isResource) return [known.has(request.method) ? request.method : "other", "", "", "", "", ""];
    if (!isKnown(info.group, info.version, info.resource, info.subresource)) return ["other", "", "", "", "", ""];
    const scope = info.parts.length > 1 ? "resource" : info.namespace ? "namespace" : "cluster";
    return [verbs[info.verb] ?? "other", info.group, info.version, info.resource, info.subresource, scope];
  }
}

const known = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
const verbs: Readonly<Record<string, string>> = { get: "GET", list: "LIST", watch: "WATCH", create: "POST", update: "PUT", patch: "PATCH", delete: "DELETE", deletecollection: "DELETECOLLECTION" };
