import { reply, type Exchange } from "./exchange.ts";
import { isTrue } from "./request-info.ts";

/** One condition of health; throws, with a reason fit for a log, when it does not hold. */
export interface HealthCheck {
  name: string;
  check(): void | Promise<void>;
}

export interface HealthChecks {
  healthz: readonly HealthCheck[];
  livez: readonly HealthCheck[];
  readyz: readonly HealthCheck[];
}

/** Says no as soon as the server is to stop, while it still answers: who asks for readiness sends nobody here any more. */
export const shutdownCheck = (stopping: AbortSignal): HealthCheck => ({
  name: "shutdown",
  check() {
    if (stopping.aborted) throw new Error("process is shutting down");
  },
});

const ping: HealthCheck = { name: "ping", check: () => undefined };

/** `/healthz`, `/healthz?verbose&exclude=NAME` and `/healthz/NAME`. Reasons are withheld, as Kubernetes does; see the log. */
export async function answerHealth(exchange: Exchange, kind: string, checks: readonly HealthCheck[], only: string | undefined, onFailure: (check: string, error: unknown) => void): Promise<void> {
  const all = [ping, ...checks];
  const excluded = exchange.query.getAll("exclude");
  const wanted = only === undefined ? all.filter(({ name }) => !excluded.includes(name)) : all.filter(({ name }) => name === only);
  if (only !== undefined && wanted.length === 0) return reply(exchange, 404, text, "404 page not found\n");
  const results = await Promise.all(wanted.map(async ({ name, check }) => {
    try {
      await check();
      return `[+]${name} ok\n`;
    } catch (error) {
      onFailure(name, error);
      return `[-]${name} failed: reason withheld\n`;
    }
  }));
  const failed = results.some((line) => line.startsWith("[-]"));
  if (failed) return reply(exchange, 500, text, only === undefined ? `${results.join("")}${kind} check failed\n` : `internal server error: ${results[0]!.slice(3)}`);
  reply(exchange, 200, text, isTrue(exchange.query.get("verbose")) ? `${results.join("")}${kind} check passed\n` : "ok");
}

const text = { "Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache, private" };
