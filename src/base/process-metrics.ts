import type { MetricsRegistry } from "./metrics.ts";

/** The process figures that every Prometheus client library exports, read when somebody scrapes. */
export function registerProcessMetrics(metrics: MetricsRegistry): void {
  const started = Date.now() / 1000 - process.uptime();
  const gauge = (name: string, help: string, read: () => number): void => metrics.callback({ name, help, type: "gauge", read });
  gauge("process_resident_memory_bytes", "Resident memory size in bytes.", () => process.memoryUsage.rss());
  gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.", () => started);
  metrics.callback({
    name: "process_cpu_seconds_total", help: "Total user and system CPU time spent in seconds.", type: "counter",
    read: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
  });
}
