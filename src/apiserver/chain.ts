import type { Logger } from "../base/log.ts";
import type { MetricsRegistry } from "../base/metrics.ts";
import type { Authorizer } from "../registry/attributes.ts";
import type { Authenticator } from "./authentication/authenticator.ts";
import type { ExchangeHandler, Filter } from "./exchange.ts";
import type { Auditor } from "./audit/auditor.ts";
import { withAudit, withFailedAuthenticationAudit } from "./filters/audit.ts";
import { withAuthentication } from "./filters/authentication.ts";
import { withAuthorization } from "./filters/authorization.ts";
import { withFlowControl } from "./filters/flow-control.ts";
import { withImpersonation } from "./filters/impersonation.ts";
import { withMetrics } from "./filters/metrics.ts";
import { withRecovery } from "./filters/recovery.ts";
import { withRequestInfo } from "./filters/request-info.ts";
import { withTimeout } from "./filters/timeout.ts";
import { withWatchLimit } from "./filters/watch-limit.ts";

export interface ChainDependencies {
  authenticators: readonly Authenticator[];
  anonymous?: Authenticator;
  authorizer: Authorizer;
  metrics: MetricsRegistry;
  isKnown(group: string, version: string, resource: string, subresource: string): boolean;
  log: Logger;
  requestTimeoutMs: number;
  /** Without it every request runs at once. */
  flowControl?: Parameters<typeof withFlowControl>[0];
  /** Watches that one user may have open. */
  maxWatchesPerUser?: number;
  /** Without one nothing is recorded. */
  auditor?: Auditor;
}

/** What every request passes, in this order, before its handler. */
export function buildHandlerChain(handler: ExchangeHandler, dependencies: ChainDependencies): ExchangeHandler {
  const { auditor, flowControl, maxWatchesPerUser = Infinity } = dependencies;
  return compose([
    withRecovery(dependencies),
    withRequestInfo,
    withMetrics(dependencies),
    withTimeout({ milliseconds: dependencies.requestTimeoutMs }),
    ...(auditor ? [withFailedAuthenticationAudit({ auditor })] : []),
    withAuthentication(dependencies),
    ...(auditor ? [withAudit({ auditor })] : []),
    withImpersonation(dependencies),
    ...(flowControl ? [withFlowControl(flowControl)] : []),
    withAuthorization(dependencies),
    withWatchLimit({ perUser: maxWatchesPerUser }),
  ], handler);
}

const compose = (filters: readonly Filter[], handler: ExchangeHandler): ExchangeHandler =>
  filters.reduceRight<ExchangeHandler>((next, filter) => (exchange) => filter(exchange, next), handler);
