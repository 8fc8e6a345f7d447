import { createPrivateKey } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { customSchemas, definitionHooks, runCustomResources, withCustomResources } from "../../src/apiextensions/custom-resources.ts";
import { createAggregator } from "../../src/apiserver/aggregation/aggregator.ts";
import { withRemoteOpenApi } from "../../src/apiserver/aggregation/openapi.ts";
import type { Auditor } from "../../src/apiserver/audit/auditor.ts";
import { storedFlowControl } from "../../src/apiserver/flowcontrol/stored.ts";
import { prefixOf } from "../../src/registry/store.ts";
import { createApiServer } from "../../src/apiserver/app.ts";
import { bearerTokenAuthenticator } from "../../src/apiserver/authentication/bearer-token.ts";
import { requestHeaderAuthenticator } from "../../src/apiserver/authentication/request-header.ts";
import { serviceAccountTokens, type LegacyTokenIssuer } from "../../src/apiserver/authentication/service-account-tokens.ts";
import { legacyServiceAccountAuthenticator } from "../../src/apiserver/authentication/legacy-service-account.ts";
import { serviceAccountAuthenticator } from "../../src/apiserver/authentication/service-account.ts";
import { x509Authenticator } from "../../src/apiserver/authentication/x509.ts";
import { bootstrapPolicy, type ControllerRole } from "../../src/apiserver/authorization/bootstrap/policy.ts";
import { reconcileBootstrapPolicy } from "../../src/apiserver/authorization/bootstrap/reconcile.ts";
import { nodeAuthorizer } from "../../src/apiserver/authorization/node.ts";
import { rbacAuthorizer } from "../../src/apiserver/authorization/rbac.ts";
import { privilegedGroup, unionAuthorizer } from "../../src/apiserver/authorization/union.ts";
import type { FrontLimits } from "../../src/apiserver/front/front.ts";
import { listenFront } from "../../src/apiserver/front/listen.ts";
import type { NodeConnector } from "../../src/apiserver/handlers/handler.ts";
import { shutdownCheck } from "../../src/apiserver/health.ts";
import { identityReviews } from "../../src/apiserver/handlers/reviews.ts";
import { createOpenApi } from "../../src/apiserver/openapi/openapi.ts";
import { versionInfo } from "../../src/apiserver/version.ts";
import { builtins, clusterrolebindings, clusterroles, namespaces, nodes, pods, resourcequotas, rolebindings, roles, secrets, serviceaccounts } from "../../src/apis/builtins.ts";
import type { HttpHandler } from "../../src/base/http.ts";
import { systemClock } from "../../src/base/clock.ts";
import { createMetrics } from "../../src/base/metrics.ts";
import type { Client } from "../../src/client/client.ts";
import type { ExtensionApis } from "../../src/client/extension-apis.ts";
import type { EventRecorder } from "../../src/client/recorder.ts";
import type { InformerFactory } from "../../src/client/informer.ts";
import { createMatcher } from "../../src/registry/admission/matching.ts";
import { createWebhookCaller } from "../../src/registry/admission/webhook/caller.ts";
import { endpointResolver, type ServiceAddress, type ServiceResolver } from "../../src/registry/service-resolver.ts";
import type { AnyResource } from "../../src/apimachinery/resource.ts";
import { expressionRules } from "../../src/apis/admissionregistration/expressions.ts";
import { validateAdmissionExpression } from "../../src/registry/admission/policy/expression-rules.ts";
import { defaultAdmission } from "../../src/registry/admission/index.ts";
import type { UserInfo } from "../../src/registry/attributes.ts";
import { createRegistry } from "../../src/registry/create-registry.ts";
import { builtinHooks } from "../../src/registry/hooks.ts";
import { createLocalClient } from "../../src/registry/local-client.ts";
import { createListers, createLocalInformers } from "../../src/registry/local-informers.ts";
import type { Readers } from "../../src/registry/readers.ts";
import type { Registry } from "../../src/registry/registry.ts";
import { accessReviews } from "../../src/registry/reviews.ts";
import type { IdentityOptions } from "../../src/server/identity-options.ts";
import { tokenAuthenticators } from "../../src/server/identity.ts";
import type { Sign } from "../../src/controllers/certificates/signing.ts";
import { kubeconfig } from "../../src/server/kubeconfig.ts";
import { signerOf } from "../../src/server/pki/cluster-pki.ts";
import { createCa, createLeaf, createSigningKey, type KeyPair } from "../../src/server/pki/certificate.ts";
import { frontProxyName } from "../../src/server/pki/cluster-pki.ts";
import { Cacher } from "../../src/storage/cacher/cacher.ts";
import { MemoryStorage } from "../../src/storage/memory/memory-storage.ts";
import { SqliteStorage } from "../../src/storage/sqlite/sqlite-storage.ts";
import type { Storage } from "../../src/storage/storage.ts";

export interface TestApiServerOptions {
  /** Default memory; sqlite is a file in the server's own temporary directory. */
  storage?: "memory" | "sqlite" | Storage;
  /** The way to kubelets; without one no node is connected. */
  nodes?: NodeConnector;
  controllers?: readonly ControllerRole[];
  /** Other ways in than certificates and the cluster's own tokens. */
  identity?: Partial<IdentityOptions>;
  /** Issuers whose tokens are accepted beside the own one's. */
  formerIssuers?: readonly string[];
  anonymous?: boolean | readonly string[];
  /** Admission plugins beside the default ones. */
  enabledPlugins?: readonly string[];
  auditor?: Auditor;
  /** Seats of flow control; without them every request runs at once. */
  totalSeats?: number;
  maxWatchesPerUser?: number;
  limits?: Partial<FrontLimits>;
  /** Where Services (`namespace/name`) are reached, for tests without a network; others have to have endpoints. */
  serviceAddresses?: ReadonlyMap<string, ServiceAddress>;
  /** Kinds besides the built-in ones. */
  cards?: readonly AnyResource[];
  /** How those are read that are not stored. */
  readers?(informers: InformerFactory): Readers;
}

/** A real API server in this process: everything but controllers, scheduler and nodes. */
export interface TestApiServer {
  readonly url: string;
  readonly port: number;
  readonly directory: string;
  /** A file with the administrator's certificate. */
  readonly kubeconfig: string;
  readonly ca: string;
  /** The CA of front proxies, and the certificate by which extension API servers know this server. */
  readonly frontProxy: { ca: KeyPair; client: KeyPair };
  /** Registers and looks after APIServices until `signal` aborts. */
  runAggregator(signal: AbortSignal): Promise<void>;
  /** What extension API servers serve, as controllers reach it. */
  extensionApis(user: UserInfo): ExtensionApis;
  readonly registry: Registry;
  readonly informers: InformerFactory;
  /** What the front calls; for tests without a socket. */
  readonly handler: HttpHandler;
  /** In process, by default as the administrator. */
  client(user?: UserInfo): Client;
  certificate(commonName: string, ...organizations: string[]): Promise<KeyPair>;
  /** What controllers sign with. */
  readonly sign: Sign;
  readonly issueLegacyToken: LegacyTokenIssuer;
  /** fetch with a client certificate, the administrator's by default; `null` for none. */
  fetch(path: string, init?: RequestInit & { as?: KeyPair | null }): Promise<Response>;
  /** Runs kubectl; rejects nothing. Ends after 90 s. */
  kubectl(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }>;
  /** Connections open at the port. */
  connections(): number;
  /** What a signal does to a real server first: readiness and watches end, requests are still answered. */
  beginStop(): void;
  stop(): Promise<void>;
}

const administrator: UserInfo = { name: "system:admin", groups: ["system:masters", "system:authenticated"] };
const audience = "https://kubernetes.default.svc.cluster.local";

async function frontProxyPair(): Promise<TestApiServer["frontProxy"]> {
  const end = new Date(Date.now() + 86_400_000);
  const ca = await createCa("front-proxy-ca", end);
  return { ca, client: await createLeaf({ issuer: ca, usage: "client", subject: { commonName: frontProxyName }, notAfter: end }) };
}

const silentRecorder: EventRecorder = { event: () => undefined };

export async function startApiServer({ storage: kind = "memory", nodes: connector = { connect: () => undefined }, controllers = [], cards = [], readers, identity = {}, formerIssuers = [], anonymous, enabledPlugins, serviceAddresses = new Map(), auditor, totalSeats, maxWatchesPerUser, limits }: TestApiServerOptions = {}): Promise<TestApiServer> {
  const directory = mkdtempSync(join(tmpdir(), "skiff-apiserver-"));
  const storage = kind === "memory" ? new MemoryStorage() : kind === "sqlite" ? await SqliteStorage.open({ path: join(directory, "state.db") }) : kind;
  const cacher = new Cacher({ storage });
  await cacher.start();
  const informers = createLocalInformers(cacher);
  const listers = createListers(cacher);
  const podInformer = informers.informer(pods);

  const rbac = rbacAuthorizer({
    roles: informers.informer(roles), clusterRoles: informers.informer(clusterroles),
    roleBindings: informers.informer(rolebindings), clusterRoleBindings: informers.informer(clusterrolebindings),
  });
  const authorizer = unionAuthorizer([privilegedGroup(), nodeAuthorizer({ pods: podInformer, listers }), rbac]);

  const nodeLister = informers.informer(nodes).lister;
  const tokens = await serviceAccountTokens({
    issuer: audience, audiences: [audience], signingKey: createPrivateKey(await createSigningKey()), now: Date.now,
    getPod: (key) => podInformer.lister.get(key), getNodeUid: (name) => nodeLister.get(name)?.metadata.uid,
  });
  const serviceAccount = serviceAccountAuthenticator({
    keys: tokens.keys.verification, issuers: [audience, ...formerIssuers], audiences: [audience], now: Date.now,
    objects: {
      serviceAccount: (key) => informers.informer(serviceaccounts).lister.get(key), pod: (key) => podInformer.lister.get(key),
      secret: (key) => informers.informer(secrets).lister.get(key), node: (name) => nodeLister.get(name),
    },
  });
  const legacy = legacyServiceAccountAuthenticator({
    keys: tokens.keys.verification, now: Date.now, noteUse: () => undefined,
    getSecret: (key) => informers.informer(secrets).lister.get(key), getServiceAccount: (key) => informers.informer(serviceaccounts).lister.get(key),
  });
  const tokenKinds = tokenAuthenticators({ options: identity, serviceAccounts: [serviceAccount, legacy], secrets: informers.informer(secrets).lister, now: Date.now });
  const endpoints = endpointResolver({ listers });
  const resolveService: ServiceResolver = (namespace, name, port) => serviceAddresses.get(`${namespace}/${name}`) ?? endpoints(namespace, name, port);
  const webhooks = createWebhookCaller({ resolveService });
  expressionRules.validate = validateAdmissionExpression;
  const matcher = createMatcher({ listers, cards: () => registry.cards });
  const registry: Registry = createRegistry({
    cacher, cards: [...withCustomResources(builtins), ...cards], ...(readers ? { readers: readers(informers) } : {}),
    admission: defaultAdmission({
      listers, authorizer, enabled: enabledPlugins, updateQuotaStatus: (quota) => client().update(resourcequotas, quota, { subresource: "status" }),
      policies: { matcher, cards: () => registry.cards }, webhooks: { matcher, caller: webhooks },
    }),
    clock: systemClock,
    hooks: { ...builtinHooks({ cacher, allocators: { serviceCidrs: ["10.43.0.0/16"] } }), ...definitionHooks }, tokenIssuer: tokens.issuer,
    reviews: { ...accessReviews({ authorizer }), ...identityReviews({ rbac, tokens: tokenKinds, audiences: [audience] }) },
  });
  const frontProxy = await frontProxyPair();
  const aggregator = createAggregator({ registry, informers, listers, resolveService, client: () => frontProxy.client, clock: systemClock });
  const client = (user = administrator): Client => createLocalClient({ registry, authorizer, user });
  for (const name of ["default", "kube-system", "kube-public", "kube-node-lease"]) {
    if (!informers.informer(namespaces).lister.get(name)) await client().create(namespaces, { metadata: { name }, spec: {} });
  }
  await reconcileBootstrapPolicy(client(), bootstrapPolicy(controllers));

  const stopping = new AbortController();
  const metrics = createMetrics();
  const openApi = createOpenApi({ cards: () => registry.cards, custom: customSchemas });
  registry.resources.onChange(() => openApi.invalidate());
  const customResources = runCustomResources({ informers, client: client(), webhooks, clock: systemClock, resources: registry.resources }, stopping.signal);
  const handler = createApiServer({
    registry, authorizer, nodes: connector, openApi: withRemoteOpenApi(openApi, aggregator), aggregator, anonymous, auditor, maxWatchesPerUser, ...(totalSeats ? { flowControl: { flow: storedFlowControl({ informers, totalSeats, queueWaitMs: 15_000, metrics }), count: (group, version, resource, namespace) => cacher.count(prefixOf(registry.find(group, version, resource) ?? { group, resource }, namespace)) } } : {}), serviceAccountKeys: tokens.keys,
    authenticators: [requestHeaderAuthenticator({ allowedNames: [frontProxyName] }), x509Authenticator(), bearerTokenAuthenticator(tokenKinds)],
    checks: { healthz: [], livez: [], readyz: [{ name: "informer-sync", check: () => undefined }, shutdownCheck(stopping.signal)] },
    metrics, version: versionInfo({ own: "0.0.0-test" }), stopping: stopping.signal,
  });

  const end = new Date(Date.now() + 86_400_000);
  const serverCa = await createCa("server-ca", end), clientCa = await createCa("client-ca", end);
  const certificate = (commonName: string, ...organizations: string[]): Promise<KeyPair> => createLeaf({ issuer: clientCa, usage: "client", subject: { commonName, organizations }, notAfter: end });
  const serving = await createLeaf({ issuer: serverCa, usage: "server", subject: { commonName: "kube-apiserver" }, names: ["localhost", "127.0.0.1"], notAfter: end });
  const front = await listenFront({ hostname: "127.0.0.1", port: 0, tls: { cert: serving.certificate, key: serving.key, clientCa: clientCa.certificate, requestHeaderCa: frontProxy.ca.certificate }, limits, handler });
  const url = `https://127.0.0.1:${front.port}`;
  const admin = await certificate("system:admin", "system:masters");
  const kubeconfigPath = join(directory, "kubeconfig");
  writeFileSync(kubeconfigPath, kubeconfig({ server: url, ca: serverCa.certificate, client: admin }), { mode: 0o600 });

  return {
    frontProxy, runAggregator: (signal) => aggregator.run(client(), silentRecorder, signal), extensionApis: (user) => aggregator.extensionApis(authorizer, user),
    url, port: front.port, directory, kubeconfig: kubeconfigPath, ca: serverCa.certificate, registry, informers, handler, client, certificate, sign: signerOf({ clientCa, serverCa }), issueLegacyToken: tokens.issueLegacy,
    fetch: (path, { as = admin, ...init } = {}) => fetch(url + path, { ...init, tls: { ca: serverCa.certificate, ...(as ? { cert: as.certificate, key: as.key } : {}) } }),
    async kubectl(...args) {
      const child = Bun.spawn(["kubectl", ...args], {
        env: { PATH: process.env["PATH"], HOME: directory, KUBECONFIG: kubeconfigPath }, stdin: "ignore", stdout: "pipe", stderr: "pipe", timeout: 90_000,
      });
      const [stdout, stderr, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
      return { code, stdout, stderr };
    },
    connections: () => front.connections,
    beginStop: () => stopping.abort(),
    async stop() {
      stopping.abort();
      await customResources;
      await front.stop({ graceMs: 500 });
      await cacher.close();
      await storage.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
