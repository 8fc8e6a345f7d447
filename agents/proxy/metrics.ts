import type { MetricsRegistry } from "../../src/base/metrics.ts";

/** kube-proxy's own names, so that its dashboards and alerts work. Seconds. */
export interface ProxyMetrics {
  synced(family: string, seconds: number, atSeconds: number): void;
  failed(family: string): void;
  /** From the change of an endpoint to its being in the rules. */
  programmed(seconds: number): void;
  flowsForgotten(family: string, count: number): void;
}

const exponential = (start: number, factor: number, count: number): number[] => Array.from({ length: count }, (_, i) => start * factor ** i);

export function proxyMetrics(registry: MetricsRegistry): ProxyMetrics {
  const labels = ["ip_family"];
  const duration = registry.histogram({ name: "kubeproxy_sync_proxy_rules_duration_seconds", help: "SyncProxyRules latency in seconds", labels, buckets: exponential(0.001, 2, 15) });
  const last = registry.gauge({ name: "kubeproxy_sync_proxy_rules_last_timestamp_seconds", help: "The last time proxy rules were successfully synced", labels });
  const failures = registry.counter({ name: "kubeproxy_sync_proxy_rules_nftables_sync_failures_total", help: "Cumulative proxy nftables sync failures", labels });
  const programming = registry.histogram({ name: "kubeproxy_network_programming_duration_seconds", help: "In Cluster Network Programming Latency in seconds", buckets: [...exponential(0.01, 2, 7), 1, 2, 5, 10, 30, 60, 300] });
  const forgotten = registry.counter({ name: "kubeproxy_conntrack_reconciler_deleted_entries_total", help: "Cumulative conntrack flows deleted", labels });
  return {
    synced(family, seconds, atSeconds) {
      duration.observe(seconds, [family]);
      last.set(atSeconds, [family]);
    },
    failed: (family) => failures.inc([family]),
    programmed: (seconds) => programming.observe(seconds),
    flowsForgotten: (family, count) => forgotten.inc([family], count),
  };
}

