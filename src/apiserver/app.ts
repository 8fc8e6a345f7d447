import type { HttpHandler } from "../base/http.ts";
import { logger } from "../base/log.ts";
import type { MetricsRegistry } from "../base/metrics.ts";
import { registerProcessMetrics } from "../base/process-metrics.ts";
import type { Authorizer } from "../registry/attributes.ts";
import type { Registry } from "../registry/registry.ts";
import { anonymousAuthenticator } from "./authentication/anonymous.ts";
import type { Authenticator } from "./authentication/authenticator.ts";
import type { ServiceAccountKeys } from "./authentication/service-account-tokens.ts";
import type { Aggregator } from "./aggregation/aggregator.ts";
import type { Auditor } from "./audit/auditor.ts";
import { buildHandlerChain, type ChainDependencies } from "./chain.ts";
import { createDiscovery } from "./discovery/documents.ts";
import { createFrameCache } from "./encoding/watch-frames.ts";
import { newExchange, type ExchangeHandler } from "./exchange.ts";
import type { NodeConnector } from "./handlers/handler.ts";
import { resourceHandler } from "./handlers/resource.ts";
import type { HealthChecks } from "./health.ts";
import { pathHandler, type PathDependencies } from "./paths.ts";
import { subresourceOf } from "./subresources.ts";
import type { VersionInfo } from "./version.ts";

export interface ApiServerDependencies {
  registry: Registry;
  /** Asked in order. */
  authenticators: readonly Authenticator[];
  /**
   * Whether requests without credentials go on, as `system:anonymous`. Default true, as Kubernetes; else, or on other
   * paths than those named, they are answered 401.
   */
  anonymous?: boolean | readonly string[];
  authorizer: Authorizer;
  nodes: NodeConnector;
  openApi: PathDependencies["openApi"];
  /** Serves groups that are served elsewhere. */
  aggregator?: Pick<Aggregator, "remotes" | "serviceFor" | "proxy">;
  serviceAccountKeys: ServiceAccountKeys;
  checks: HealthChecks;
  /** This server's own: its requests and the process are registered here. */
  metrics: MetricsRegistry;
  version: VersionInfo;
  /** Aborts when the server stops: watches end. */
  stopping: AbortSignal;
  auditor?: Auditor;
  flowControl?: ChainDependencies["flowControl"];
  maxWatchesPerUser?: number;
  /** For requests that are not long-running. Default 60 s, as Kubernetes. */
  requestTimeoutMs?: number;
  now?(): number;
}

/** The Kubernetes API over HTTP: every exchange that the front, a tunnel or a test brings. */
export function createApiServer(dependencies: ApiServerDependencies): HttpHandler {
  const { registry, authorizer, metrics, aggregator, anonymous = true, requestTimeoutMs = 60_000, now = Date.now } = dependencies;
  const log = logger("apiserver");
  registerProcessMetrics(metrics);
  const resources = resourceHandler({ registry, authorizer, nodes: dependencies.nodes, frames: createFrameCache(), now, stopping: dependencies.stopping });
  const paths = pathHandler({ ...dependencies, discovery: createDiscovery(() => registry.cards, aggregator?.remotes), log });
  const serve: ExchangeHandler = (exchange) => {
    const elsewhere = aggregator?.serviceFor(exchange.path);
    return elsewhere ? aggregator!.proxy(elsewhere, exchange) : (exchange.info.isResource ? resources : paths)(exchange);
  };

  const handle = buildHandlerChain(serve, {
    authenticators: dependencies.authenticators, ...(anonymous ? { anonymous: anonymousAuthenticator(anonymous === true ? undefined : anonymous) } : {}), authorizer, metrics, log, requestTimeoutMs, auditor: dependencies.auditor, flowControl: dependencies.flowControl, maxWatchesPerUser: dependencies.maxWatchesPerUser,
    isKnown: (group, version, resource, subresource) => {
      const card = registry.find(group, version, resource);
      return card !== undefined && (subresource === "" || subresourceOf(card, subresource) !== undefined);
    },
  });

  return (request, response) => handle(newExchange(request, response));
}
