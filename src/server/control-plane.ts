import { createPrivateKey } from "node:crypto";
import { customSchemas, definitionHooks, runCustomResources, withCustomResources } from "../apiextensions/custom-resources.ts";
import { expressionRules } from "../apis/admissionregistration/expressions.ts";
import { builtins } from "../apis/builtins.ts";
import { events, lastWritten } from "../apis/core/event.ts";
import { gatedKinds } from "../apis/feature-gates.ts";
import { metricsKinds } from "../apis/metrics/metrics-kinds.ts";
import { nodes } from "../apis/core/node.ts";
import { pods } from "../apis/core/pod/pod.ts";
import { resourcequotas } from "../apis/core/resourcequota.ts";
import { secrets } from "../apis/core/secret.ts";
import { serviceaccounts } from "../apis/core/serviceaccount.ts";
import { clusterrolebindings } from "../apis/rbac/clusterrolebinding.ts";
import { clusterroles } from "../apis/rbac/clusterrole.ts";
import { rolebindings } from "../apis/rbac/rolebinding.ts";
import { roles } from "../apis/rbac/role.ts";
import { createAggregator } from "../apiserver/aggregation/aggregator.ts";
import { withRemoteOpenApi } from "../apiserver/aggregation/openapi.ts";
import type { ProxyClient } from "../apiserver/aggregation/remote-server.ts";
import { createApiServer } from "../apiserver/app.ts";
import { createAuditor, type AuditBackend } from "../apiserver/audit/auditor.ts";
import { logBackend } from "../apiserver/audit/log-backend.ts";
import { webhookBackend } from "../apiserver/audit/webhook-backend.ts";
import { bearerTokenAuthenticator } from "../apiserver/authentication/bearer-token.ts";
import { requestHeaderAuthenticator } from "../apiserver/authentication/request-header.ts";
import { legacyServiceAccountAuthenticator } from "../apiserver/authentication/legacy-service-account.ts";
import { serviceAccountAuthenticator } from "../apiserver/authentication/service-account.ts";
import { serviceAccountTokens, type LegacyTokenIssuer } from "../apiserver/authentication/service-account-tokens.ts";
import type { Authenticator } from "../apiserver/authentication/authenticator.ts";
import { x509Authenticator } from "../apiserver/authentication/x509.ts";
import { storedFlowControl } from "../apiserver/flowcontrol/stored.ts";
import { nodeAuthorizer } from "../apiserver/authorization/node.ts";
import { rbacAuthorizer } from "../apiserver/authorization/rbac.ts";
import { privilegedGroup, unionAuthorizer } from "../apiserver/authorization/union.ts";
import { identityReviews } from "../apiserver/handlers/reviews.ts";
import type { NodeConnector } from "../apiserver/handlers/handler.ts";
import { shutdownCheck } from "../apiserver/health.ts";
import { loadEmbeddedDescriptions } from "../apiserver/openapi/embedded-descriptions.ts";
import { createOpenApi } from "../apiserver/openapi/openapi.ts";
import { versionInfo } from "../apiserver/version.ts";
import type { Clock } from "../base/clock.ts";
import type { HttpHandler } from "../base/http.ts";
import { logger } from "../base/log.ts";
import type { MetricsRegistry } from "../base/metrics.ts";
import { builtAt, gitCommit, skiffVersion } from "../base/version.ts";
import type { Client } from "../client/client.ts";
import type { ServedKinds } from "../client/controller.ts";
import type { ExtensionApis } from "../client/extension-apis.ts";
import type { InformerFactory } from "../client/informer.ts";
import { createEventRecorder, type EventRecorder } from "../client/recorder.ts";
import { defaultAdmission } from "../registry/admission/index.ts";
import type { Authorizer, UserInfo } from "../registry/attributes.ts";
import { createMatcher } from "../registry/admission/matching.ts";
import { validateAdmissionExpression } from "../registry/admission/policy/expression-rules.ts";
import { createWebhookCaller } from "../registry/admission/webhook/caller.ts";
import { endpointResolver } from "../registry/service-resolver.ts";
import type { Registry } from "../registry/registry.ts";
import { createRegistry } from "../registry/create-registry.ts";
import { runExpiry } from "../registry/expiry.ts";
import { builtinHooks } from "../registry/hooks.ts";
import { createLocalClient } from "../registry/local-client.ts";
import { createListers, createLocalInformers } from "../registry/local-informers.ts";
import { prefixOf } from "../registry/store.ts";
import { accessReviews } from "../registry/reviews.ts";
import { Cacher } from "../storage/cacher/cacher.ts";
import { runCompaction } from "../storage/compaction.ts";
import { tokenAuthenticators } from "./identity.ts";
import type { AuditOptions } from "./audit-options.ts";
import { type Datastore, openDatastore } from "./datastore/datastore.ts";
import { registerObjectMetrics } from "./datastore/object-metrics.ts";
import { metricsApi } from "./metrics-api/metrics-api.ts";
import { mustBeKnown } from "./encryption/known-resources.ts";
import type { ServerOptions } from "./options.ts";
import { frontProxyName } from "./pki/cluster-pki.ts";

export interface ControlPlaneOptions {
  options: ServerOptions;
  databaseFile: string;
  encryptionFile: string;
  /** PEM of the server CA's key. */
  clusterKey: string;
  /** PKCS#8 PEM of the key that signs service-account tokens. */
  serviceAccountKey: string;
  nodes: NodeConnector;
  /** The certificate that extension API servers know us by; asked for anew since it is renewed. */
  frontProxyClient(): ProxyClient;
  metrics: MetricsRegistry;
  clock: Clock;
  /** Aborts when the server stops. */
  stopping: AbortSignal;
  /** What can't be gone on from, such as a dead database. */
  onFatal(error: Error): void;
}

/** The API server without its port: store, registry and handler, and the ways in for components of this process. */
export interface ControlPlane {
  handler: HttpHandler;
  informers: InformerFactory;
  /** What is served now. */
  kinds: ServedKinds;
  datastore: Datastore;
  authenticators: readonly Authenticator[];
  authorizer: Authorizer;
  clientAs(user: UserInfo): Client;
  /** What extension API servers serve, beside what `clientAs` reaches. */
  extensionApisAs(user: UserInfo): ExtensionApis;
  issueLegacyToken: LegacyTokenIssuer;
  recorder(component: string, user: UserInfo, host?: string): EventRecorder;
  /** Registers this server's own groups as APIServices and looks after those of others, until `signal` aborts. */
  runAggregator(signal: AbortSignal): Promise<void>;
  /** Tells /readyz that start-up has finished. */
  markReady(): void;
  close(): Promise<void>;
}

export async function startControlPlane({ options, databaseFile, encryptionFile, clusterKey, serviceAccountKey, nodes: nodeConnector, frontProxyClient, metrics, clock, stopping: serverStopping, onFatal }: ControlPlaneOptions): Promise<ControlPlane> {
  const log = logger("storage");
  const closing = new AbortController();
  const stopping = AbortSignal.any([serverStopping, closing.signal]);
  mustBeKnown(options.datastore.encryption.resources, builtins);
  const datastore = await openDatastore({ options: options.datastore, databaseFile, encryptionFile, clusterKey, clock, metrics, stopping: serverStopping, onFatal }), { storage } = datastore;
  const cacher = new Cacher({ storage, onFatal });
  await cacher.start();
  const compaction = runCompaction({ storage, clock, failed: (error) => log.warn("history could not be compacted", { error }) }, stopping);
  const expiry = runExpiry({ cacher, prefix: prefixOf(events), ttlMs: options.datastore.eventTtlMs, writtenAt: lastWritten, clock, failed: (error) => log.warn("an Event could not be removed", { error }) }, stopping);
  const informers = createLocalInformers(cacher);
  const listers = createListers(cacher);

  const rbac = rbacAuthorizer({ roles: informers.informer(roles), clusterRoles: informers.informer(clusterroles), roleBindings: informers.informer(rolebindings), clusterRoleBindings: informers.informer(clusterrolebindings) });
  const authorizer = unionAuthorizer([privilegedGroup(), nodeAuthorizer({ pods: informers.informer(pods), listers }), rbac]);
  const getPod = (key: string) => informers.informer(pods).lister.get(key);
  const getNode = (name: string) => informers.informer(nodes).lister.get(name);
  const { issuers, jwksUri, audiences } = options.identity.serviceAccounts;
  const tokens = await serviceAccountTokens({ issuer: issuers[0], jwksUri, audiences, signingKey: createPrivateKey(serviceAccountKey), getPod, getNodeUid: (name) => getNode(name)?.metadata.uid, now: () => clock.now() });

  const serviceAccountTokensOf = serviceAccountAuthenticator({
    keys: tokens.keys.verification, issuers, audiences, now: () => clock.now(),
    objects: { serviceAccount: (key) => informers.informer(serviceaccounts).lister.get(key), pod: getPod, secret: (key) => informers.informer(secrets).lister.get(key), node: getNode },
  });
  const legacyTokens = legacyServiceAccountAuthenticator({
    keys: tokens.keys.verification, now: () => clock.now(),
    getSecret: (key) => informers.informer(secrets).lister.get(key), getServiceAccount: (key) => informers.informer(serviceaccounts).lister.get(key),
    noteUse: ({ metadata: { namespace, name } }, day) => {
      const body = { metadata: { labels: { "kubernetes.io/legacy-token-last-used": day } } };
      clientAs(itself).patch(secrets, { namespace, name: name! }, { type: "application/merge-patch+json", body }).catch((error: unknown) => log.debug("the use of a token could not be noted", { error }));
    },
  });
  const tokenKinds = tokenAuthenticators({ options: options.identity, serviceAccounts: [serviceAccountTokensOf, legacyTokens], secrets: informers.informer(secrets).lister, now: () => clock.now() });
  const authenticators = [requestHeaderAuthenticator({ allowedNames: [frontProxyName] }), x509Authenticator(), bearerTokenAuthenticator(tokenKinds)];

  const resolveService = endpointResolver({ listers });
  const webhooks = createWebhookCaller({ resolveService });
  expressionRules.validate = validateAdmissionExpression;
  const matcher = createMatcher({ listers, cards: () => registry.cards });
  const measures = !options.disable.includes("metrics-server");
  const registry: Registry = createRegistry({
    cacher, cards: withCustomResources([...builtins, ...gatedKinds(options.featureGates), ...(measures ? metricsKinds : [])]),
    readers: measures ? metricsApi({ informers, nodes: nodeConnector, clock, log: logger("metrics") }) : {}, clock, authorizer, tokenIssuer: tokens.issuer,
    admission: defaultAdmission({
      listers, authorizer, clock, enabled: options.identity.enabledAdmissionPlugins, disabled: options.identity.disabledAdmissionPlugins, podSecurityConfiguration: options.identity.admissionConfiguration?.podSecurity, updateQuotaStatus: (quota) => clientAs(itself).update(resourcequotas, quota, { subresource: "status" }),
      policies: { matcher, cards: () => registry.cards }, webhooks: { matcher, caller: webhooks, metrics },
    }),
    hooks: { ...builtinHooks({ cacher, allocators: { serviceCidrs: options.serviceCidrs, nodePorts: options.nodePortRange, reserved: options.clusterDns } }), ...definitionHooks },
    reviews: { ...accessReviews({ authorizer }), ...identityReviews({ rbac, tokens: tokenKinds, audiences }) },
  });
  registerObjectMetrics(metrics, { cards: () => registry.cards, count: (prefix) => cacher.count(prefix) });
  const clientAs = (user: UserInfo): Client => createLocalClient({ registry, authorizer, user });

  const openApi = createOpenApi({ cards: () => registry.cards, version: skiffVersion, descriptions: await loadEmbeddedDescriptions(), custom: customSchemas });
  registry.resources.onChange(() => openApi.invalidate());
  const customResources = runCustomResources({ informers, client: clientAs(apiServerUser), webhooks, clock, resources: registry.resources }, stopping);

  const aggregator = createAggregator({ registry, informers, listers, resolveService, client: frontProxyClient, clock });

  const auditBackends = options.audit ? backendsOf(options.audit, { clock, metrics }) : [];
  const auditor = options.audit && createAuditor({ policy: options.audit.policy, backends: auditBackends, now: () => clock.now() });

  const { totalSeats, requestTimeoutMs, maxWatchesPerUser } = options.protection;
  const flow = totalSeats === undefined ? undefined : storedFlowControl({ informers, totalSeats, queueWaitMs: requestTimeoutMs / 4, metrics });
  const count = (group: string, version: string, resource: string, namespace: string): number => cacher.count(prefixOf(registry.find(group, version, resource) ?? { group, resource }, namespace));

  let ready = false;
  const storageCheck = { name: "storage", check: () => { if (cacher.revision < storage.revision) throw new Error("the cache lags behind the database"); } };
  const etcdCheck = { name: "etcd", check: async () => { if (!(await cacher.upToDate())) throw new Error("etcd doesn't tell what is newest: more than half of its members must run"); } };
  const handler = createApiServer({
    registry, authorizer, nodes: nodeConnector, metrics, stopping, now: () => clock.now(),
    authenticators, anonymous: options.identity.anonymous,
    openApi: withRemoteOpenApi(openApi, aggregator), aggregator, auditor, requestTimeoutMs, maxWatchesPerUser, ...(flow ? { flowControl: { flow, count } } : {}),
    serviceAccountKeys: tokens.keys,
    checks: {
      healthz: [], livez: [storageCheck],
      readyz: [storageCheck, ...(cacher.shared ? [etcdCheck] : []), { name: "poststarthook/start-up", check: () => { if (!ready) throw new Error("start-up has not finished"); } }, shutdownCheck(stopping)],
    },
    version: versionInfo({ own: skiffVersion, commit: gitCommit, buildDate: new Date(builtAt).toISOString().replace(/\.\d+/, "") }),
  });

  return {
    handler, informers, kinds: registry.resources, datastore, authenticators, authorizer, clientAs, extensionApisAs: (user) => aggregator.extensionApis(authorizer, user), issueLegacyToken: tokens.issueLegacy,
    recorder: (component, user, host) => createEventRecorder({ client: clientAs(user), events, component, clock, ...(host ? { host } : {}) }, stopping),
    runAggregator: (signal) => aggregator.run(clientAs(apiServerUser), createEventRecorder({ client: clientAs(apiServerUser), events, component: "apiserver", clock }, stopping), signal),
    markReady() {
      ready = true;
    },
    async close() {
      closing.abort();
      await Promise.all([compaction, expiry, customResources]);
      await cacher.close();
      await storage.close();
      await Promise.all(auditBackends.map((backend) => backend.close()));
    },
  };
}

function backendsOf({ log, webhook }: AuditOptions, { clock, metrics }: { clock: Clock; metrics: MetricsRegistry }): AuditBackend[] {
  return [...(log ? [logBackend({ ...log, now: () => clock.now() })] : []), ...(webhook ? [webhookBackend({ target: webhook, clock, metrics })] : [])];
}

/** What the API server itself does. */
const apiServerUser: UserInfo = { name: "system:apiserver", groups: ["system:masters", "system:authenticated"] };

/** Who writes what the API server itself keeps in objects, such as charges to quotas. */
const itself: UserInfo = { name: "system:apiserver", groups: ["system:masters", "system:authenticated"] };
