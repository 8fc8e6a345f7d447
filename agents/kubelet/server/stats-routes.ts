import { metricsContentType } from "../../../src/base/metrics.ts";
import type { HttpRequest, HttpResponse } from "../../../src/base/http.ts";
import { noSuchPath } from "../../../src/apimachinery/status.ts";
import { cadvisorMetrics } from "../stats/cadvisor-metrics.ts";
import type { NodeStats } from "../stats/node-stats.ts";
import { resourceMetrics } from "../stats/resource-metrics.ts";
import type { Summary } from "../stats/summary-api.ts";

export interface StatsRoutesOptions {
  stats: NodeStats;
  summary(onlyCpuAndMemory: boolean): Promise<Summary>;
  /** The kubelet's own metrics, and those of its probes. */
  ownMetrics(): Promise<string>;
  probeMetrics(): string;
  /** Those of the proxy for Services, where it runs beside the kubelet. */
  proxyMetrics?(): string;
}

type Route = (request: HttpRequest, response: HttpResponse, path: readonly string[], query: URLSearchParams) => Promise<void>;

/** `/stats/summary`, `/metrics`, `/metrics/resource`, `/metrics/cadvisor`, `/metrics/probes` and `/metrics/proxy`: all worked out when somebody asks. */
export function statsRoutes({ stats, summary, ownMetrics, probeMetrics, proxyMetrics }: StatsRoutesOptions): { stats: Route; metrics: Route } {
  const metrics: Record<string, () => Promise<string>> = {
    "": ownMetrics,
    // A scraper is told of the failure by a metric.
    resource: async () => resourceMetrics(await stats.sample().catch(() => undefined)),
    cadvisor: async () => cadvisorMetrics(await stats.sample()),
    probes: async () => probeMetrics(),
    ...(proxyMetrics ? { proxy: async () => proxyMetrics() } : {}),
  };
  return {
    async stats(_, response, [name = ""], query) {
      if (name !== "summary" && name !== "") throw noSuchPath();
      const body = await summary(["1", "true"].includes(query.get("only_cpu_and_memory") ?? ""));
      response.send(200, { "Content-Type": "application/json" }, JSON.stringify(body));
    },
    async metrics(_, response, [name = ""]) {
      const text = Object.hasOwn(metrics, name) ? metrics[name]! : undefined;
      if (!text) throw noSuchPath();
      response.send(200, { "Content-Type": metricsContentType }, await text());
    },
  };
}
