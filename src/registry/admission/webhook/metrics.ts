import type { MetricsRegistry } from "../../../base/metrics.ts";

export interface WebhookMetrics {
  /** `began`: as `performance.now()` told. `rejection` when the write is refused for it. */
  called(webhook: string, operation: string, began: number, rejection: { errorType: string; code: number } | undefined): void;
  failedOpen(webhook: string): void;
}

const buckets = [0.005, 0.025, 0.1, 0.5, 1, 2.5, 10, 25];
const registered = new WeakMap<MetricsRegistry, ReturnType<typeof register>>();

function register(metrics: MetricsRegistry) {
  return {
    duration: metrics.histogram({ name: "apiserver_admission_webhook_admission_duration_seconds", help: "Admission webhook latency in seconds, identified by name and broken out for each operation and API resource and type (validate or admit).", labels: ["name", "type", "operation", "rejected"], buckets }),
    rejections: metrics.counter({ name: "apiserver_admission_webhook_rejection_count", help: "Admission webhook rejection count, identified by name and broken out for each admission type (validating or admit) and operation.", labels: ["name", "type", "operation", "error_type", "rejection_code"] }),
    failOpen: metrics.counter({ name: "apiserver_admission_webhook_fail_open_count", help: "Admission webhook fail open count, identified by name and broken out for each admission type (validating or admit).", labels: ["name", "type"] }),
  };
}

/** Kubernetes' metrics of admission webhooks, for one of their two types. */
export function webhookMetrics(metrics: MetricsRegistry, of: "mutating" | "validating"): WebhookMetrics {
  let series = registered.get(metrics);
  if (!series) registered.set(metrics, series = register(metrics));
  const { duration, rejections, failOpen } = series;
  const type = of === "mutating" ? "admit" : "validating";
  return {
    called(webhook, operation, began, rejection) {
      duration.observe((performance.now() - began) / 1000, [webhook, type, operation, String(rejection !== undefined)]);
      if (rejection) rejections.inc([webhook, type, operation, rejection.errorType, String(rejection.code)]);
    },
    failedOpen: (webhook) => failOpen.inc([webhook, type]),
  };
}
