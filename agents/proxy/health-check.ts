import type { Logger } from "../../src/base/log.ts";

/** A Service whose local endpoints a load balancer wants to know of: spec.healthCheckNodePort. */
export interface HealthCheck {
  namespace: string;
  name: string;
  /** Where to answer. */
  address: string;
  port: number;
  /** How many ready endpoints this node has. */
  localEndpoints: number;
}

/** kube-proxy's answer, letter by letter, for programs that read it. `healthy` is whether the node's rules are in place. */
function healthAnswer({ namespace, name, localEndpoints }: HealthCheck, healthy: boolean): Response {
  const body = ["{", '\t"service": {', `\t\t"namespace": "${namespace}",`, `\t\t"name": "${name}"`, "\t},", `\t"localEndpoints": ${localEndpoints},`, `\t"serviceProxyHealthy": ${healthy}`, "}"].join("\n");
  return new Response(body, {
    status: localEndpoints > 0 && healthy ? 200 : 503,
    headers: { "Content-Type": "application/json", "X-Content-Type-Options": "nosniff", "X-Load-Balancing-Endpoint-Weight": String(localEndpoints) },
  });
}

interface Listening {
  server: Bun.Server<undefined>;
  check: HealthCheck;
}

export interface HealthCheckServersOptions {
  log: Logger;
  /** A port of a Service is in use by another program. */
  onRefused(check: HealthCheck, reason: string): void;
}

/** Answers health checks on their ports. */
export class HealthCheckServers {
  readonly #listening = new Map<string, Listening>();
  readonly #refused = new Set<string>();
  healthy = false;

  constructor(private readonly options: HealthCheckServersOptions) {}

  /** Listens for these and for no others. One that can't be listened for is told of once, and tried again each time. */
  sync(checks: readonly HealthCheck[]): void {
    const wanted = new Map(checks.map((check) => [`${check.address} ${check.port} ${check.namespace}/${check.name}`, check]));
    for (const [key, { server }] of this.#listening) if (!wanted.has(key)) {
      void server.stop(true);
      this.#listening.delete(key);
    }
    for (const key of this.#refused) if (!wanted.has(key)) this.#refused.delete(key);
    for (const [key, check] of wanted) {
      const known = this.#listening.get(key);
      if (known) known.check = check;
      else this.#listen(key, check);
    }
  }

  #listen(key: string, check: HealthCheck): void {
    const { log, onRefused } = this.options;
    try {
      const server = Bun.serve({ hostname: check.address, port: check.port, fetch: () => healthAnswer(this.#listening.get(key)?.check ?? check, this.healthy) });
      this.#listening.set(key, { server, check });
      this.#refused.delete(key);
    } catch (error) {
      if (this.#refused.has(key)) return;
      this.#refused.add(key);
      log.warn("a Service's health check port can't be listened on", { service: `${check.namespace}/${check.name}`, address: check.address, port: check.port, error });
      onRefused(check, (error as Error).message);
    }
  }

  close(): void {
    this.sync([]);
  }
}
