import type { MetricsRegistry } from "../../base/metrics.ts";

/** Kubernetes' metrics of flow control. Their labels are the names of priority levels and flow schemas: as many as there are such objects. */
export function flowMetrics(metrics: MetricsRegistry) {
  const labels = ["priority_level", "flow_schema"];
  return {
    rejected: metrics.counter({ name: "apiserver_flowcontrol_rejected_requests_total", help: "Number of requests rejected by API Priority and Fairness subsystem.", labels: [...labels, "reason"] }),
    dispatched: metrics.counter({ name: "apiserver_flowcontrol_dispatched_requests_total", help: "Number of requests executed by API Priority and Fairness subsystem.", labels }),
    inQueue: metrics.gauge({ name: "apiserver_flowcontrol_current_inqueue_requests", help: "Number of requests currently pending in queues of the API Priority and Fairness subsystem.", labels }),
    executing: metrics.gauge({ name: "apiserver_flowcontrol_current_executing_requests", help: "Number of requests in initial (for a WATCH) or any (for a non-WATCH) execution stage in the API Priority and Fairness subsystem.", labels }),
    seats: metrics.gauge({ name: "apiserver_flowcontrol_current_executing_seats", help: "Concurrency (number of seats) occupied by the currently executing requests in the API Priority and Fairness subsystem.", labels }),
    nominal: metrics.gauge({ name: "apiserver_flowcontrol_nominal_limit_seats", help: "Nominal number of execution seats configured for each priority level.", labels: ["priority_level"] }),
    wait: metrics.histogram({ name: "apiserver_flowcontrol_request_wait_duration_seconds", help: "Length of time a request spent waiting in its queue.", labels: ["priority_level"], buckets: [0.005, 0.05, 0.5, 2, 15] }),
  };
}
