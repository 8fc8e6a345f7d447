import type { Clock } from "../../base/clock.ts";
import { logger } from "../../base/log.ts";
import type { MetricsRegistry } from "../../base/metrics.ts";
import { proxyOption } from "../../base/proxy/environment.ts";
import type { AuditBackend } from "./auditor.ts";
import type { AuditEvent } from "./event.ts";

const log = logger("audit");

/** Where events are posted: what a kubeconfig says of a server. PEM texts. */
export interface WebhookTarget {
  server: string;
  ca?: string;
  certificate?: string;
  key?: string;
  token?: string;
  insecure?: boolean;
}

export interface WebhookBackendOptions {
  target: WebhookTarget;
  clock: Clock;
  metrics?: MetricsRegistry;
  /** Events waiting; what comes when it is full is dropped and counted. */
  bufferSize?: number;
  /** Events a request, and how long the first of them waits for others. */
  batchSize?: number;
  batchWaitMs?: number;
}

const attempts = 5, firstRetryMs = 500, requestMs = 30_000;

/** Posts events in batches (EventList of audit.k8s.io/v1), one request at a time; requests to the API server never wait for it. */
export function webhookBackend({ target, clock, metrics, bufferSize = 10_000, batchSize = 400, batchWaitMs = 5_000 }: WebhookBackendOptions): AuditBackend {
  const dropped = metrics?.counter({ name: "apiserver_audit_error_total", help: "Counter of audit events that failed to be audited properly.", labels: ["plugin"] });
  const closing = new AbortController();
  const queue: AuditEvent[] = [];
  let sending: Promise<void> | undefined;

  function record(event: AuditEvent): boolean {
    if (queue.length >= bufferSize || closing.signal.aborted) {
      dropped?.inc(["webhook"]);
      return true;
    }
    queue.push(event);
    sending ??= drain().finally(() => {
      sending = undefined;
    });
    return true;
  }

  async function drain(): Promise<void> {
    while (queue.length > 0) {
      if (queue.length < batchSize) await clock.sleep(batchWaitMs, closing.signal).catch(() => undefined);
      await send(queue.splice(0, batchSize));
    }
  }

  async function send(items: AuditEvent[]): Promise<void> {
    const body = JSON.stringify({ kind: "EventList", apiVersion: "audit.k8s.io/v1", metadata: {}, items });
    for (let attempt = 1; ; attempt++) {
      try {
        const { server, ca, certificate, key, token, insecure } = target;
        const answer = await fetch(server, {
          ...proxyOption(server), method: "POST", body, redirect: "manual", signal: AbortSignal.timeout(requestMs), headers: { "Content-Type": "application/json", ...(token ? { Authorization: `Bearer ${token}` } : {}) },
          tls: { ...(ca ? { ca } : {}), ...(certificate && key ? { cert: certificate, key } : {}), rejectUnauthorized: !insecure },
        });
        await answer.body?.cancel();
        if (answer.ok) return;
        throw new Error(`answered ${answer.status}`);
      } catch (error) {
        if (attempt === attempts || closing.signal.aborted) {
          log.warn("audit events could not be delivered", { events: items.length, error });
          return dropped?.inc(["webhook"], items.length);
        }
        await clock.sleep(firstRetryMs * 2 ** (attempt - 1), closing.signal).catch(() => undefined);
      }
    }
  }

  return {
    record,
    async close() {
      closing.abort();
      await sending;
    },
  };
}
