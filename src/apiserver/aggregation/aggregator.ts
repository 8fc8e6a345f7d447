import type { Frozen } from "../../apimachinery/meta.ts";
import type { ResourceCard } from "../../apimachinery/resource.ts";
import type { APIResourceDiscovery } from "../../apis/generated/apidiscovery/v2.ts";
import type { CustomResourceDefinition } from "../../apis/generated/apiextensions/v1.ts";
import { Runner } from "../../base/runner.ts";
import type { Clock } from "../../base/clock.ts";
import { logger } from "../../base/log.ts";
import type { Client } from "../../client/client.ts";
import type { ExtensionApis, ExtensionRequest } from "../../client/extension-apis.ts";
import { startControllers } from "../../client/run-controllers.ts";
import type { EventRecorder } from "../../client/recorder.ts";
import type { InformerFactory } from "../../client/informer.ts";
import type { Authorizer, UserInfo } from "../../registry/attributes.ts";
import type { Listers } from "../../registry/listers.ts";
import type { Registry } from "../../registry/registry.ts";
import type { ServiceResolver } from "../../registry/service-resolver.ts";
import type { RemoteGroups } from "../discovery/documents.ts";
import type { RemoteGroup } from "../discovery/groups.ts";
import type { Exchange } from "../exchange.ts";
import type { RemoteDocument } from "../openapi/document.ts";
import { apiServiceName, apiServices, isAvailable, type ApiService } from "./api-service.ts";
import { apiServiceAvailability } from "./availability.ts";
import { extensionApis } from "./extension-apis.ts";
import { groupPriority } from "./priorities.ts";
import { proxyTo } from "./proxy.ts";
import { registerLocal } from "./registration.ts";
import { remoteGroups, resourcesOf } from "./remote-discovery.ts";
import { remoteOpenApi } from "./remote-openapi.ts";
import { remoteServers, type ProxyClient } from "./remote-server.ts";
import { remoteUserHeaders } from "./remote-user.ts";
import { textOf } from "./text-of.ts";

const log = logger("aggregator");
const checkMs = 5_000;
/** Of what an extension API server tells about itself. */
const mostDocumentBytes = 4 << 20, mostOpenApiBytes = 16 << 20;

export interface AggregatorDependencies {
  registry: Registry;
  informers: InformerFactory;
  listers: Listers;
  resolveService: ServiceResolver;
  /** The certificate that extension API servers know the front proxy by; asked for each request, for it is renewed. */
  client(): ProxyClient;
  clock: Clock;
}

/** Serves groups of the API through extension API servers (kube-aggregator's part). */
export interface Aggregator {
  /** What discovery shows of them. */
  readonly remotes: RemoteGroups;
  /** The APIService through which this path is served elsewhere; undefined for what is served here. */
  serviceFor(path: string): Frozen<ApiService> | undefined;
  proxy(service: Frozen<ApiService>, exchange: Exchange): Promise<void>;
  /** Group-versions served elsewhere, as OpenAPI v3 names them: `apis/GROUP/VERSION`. */
  remotePaths(): string[];
  /** What their servers say in OpenAPI v2. */
  remoteDocuments(): Promise<RemoteDocument[]>;
  /** What extension API servers serve, for a component of this process that asks in the name of `user`. */
  extensionApis(authorizer: Authorizer, user: UserInfo): ExtensionApis;
  /** Registers what is served here and keeps watch over what is served elsewhere, until `signal` aborts. */
  run(client: Client, recorder: EventRecorder, signal: AbortSignal): Promise<void>;
}

/** Reads what is served here, for those who ask for a group without knowing who serves it: of metrics, say. */
function ownAnswer(registry: Registry, { verb, group, version, resource, namespace, name, subresource, query }: ExtensionRequest): Promise<unknown> | undefined {
  const card = registry.find(group, version, resource);
  if (!card || subresource) return undefined;
  if (verb === "list") return registry.list(card, { namespace, ...query });
  return verb === "get" && name !== undefined ? registry.get(card, { namespace, name }) : undefined;
}

export function createAggregator({ registry, informers, listers, resolveService, client: proxyClient, clock }: AggregatorDependencies): Aggregator {
  const lister = listers<ApiService>(apiServices.group, apiServices.resource);
  const servers = remoteServers({ resolveService, client: proxyClient });
  const documents = new Map<string, readonly APIResourceDiscovery[]>();
  let groups: readonly RemoteGroup[] = [];

  const definitions = listers<CustomResourceDefinition>("apiextensions.k8s.io", "customresourcedefinitions");
  const isDefined = (name: string): boolean => definitions.list().some(({ spec: { group, versions } }) => versions.some((version) => version.served && apiServiceName(group, version.name) === name));

  function refreshGroups(): void {
    const fresh = remoteGroups(lister.list(), documents);
    if (!Bun.deepEquals(fresh, groups)) groups = fresh;
  }

  async function check(service: Frozen<ApiService>): Promise<void> {
    const { group = "", version = "" } = service.spec;
    const { host, port } = servers.locate(service).address;
    const path = `/apis/${group}/${version}`;
    const url = `https://${host}:${port}${path}`;
    const late = AbortSignal.timeout(checkMs);
    const fail = (reason: string): Error => new Error(`failing or missing response from ${url}: ${reason}`);
    try {
      const answer = await servers.request(service, { method: "GET", path, headers: { accept: "application/json", ...remoteUserHeaders({ name: "system:kube-aggregator", groups: ["system:masters"] }) }, signal: late });
      const status = answer.statusCode ?? 0;
      const text = await textOf(answer, mostDocumentBytes);
      if (status < 200 || status > 299) throw new Error(`bad status from ${url}: ${status}`);
      documents.set(service.metadata.name!, resourcesOf(JSON.parse(text), group, version));
    } catch (error) {
      throw fail(late.aborted ? `Get ${JSON.stringify(url)}: context deadline exceeded` : (error as Error).message);
    }
  }

  const openApi = remoteOpenApi({
    now: clock.now,
    async load(service) {
      const answer = await servers.request(service, { method: "GET", path: "/openapi/v2", headers: { accept: "application/json", ...remoteUserHeaders({ name: "system:aggregator", groups: ["system:masters"] }) }, signal: AbortSignal.timeout(checkMs) });
      const text = await textOf(answer, mostOpenApiBytes);
      if (answer.statusCode !== 200) throw new Error(`status ${answer.statusCode}`);
      return text;
    },
  });

  const remoteService = (name: string): Frozen<ApiService> | undefined => {
    const service = lister.get(name);
    return service?.spec.service ? service : undefined;
  };

  return {
    remotes: { groups: () => groups, priorityOf: groupPriority },
    serviceFor(path) {
      const [, group, version] = /^\/(?:openapi\/v3\/)?apis\/([^/]+)\/([^/]+)/.exec(path) ?? [];
      return group && version ? remoteService(apiServiceName(group, version)) : undefined;
    },
    extensionApis: (authorizer, user) => extensionApis({ servers, service: remoteService, groups: () => groups, isKnown: (name) => documents.has(name), own: (request) => ownAnswer(registry, request), authorizer, user }),
    proxy: (service, exchange) => proxyTo(servers, service, exchange),
    remotePaths: () => groups.flatMap(({ name, versions }) => versions.filter(({ remote }) => remote.freshness === "Current").map(({ version }) => `apis/${name}/${version}`)),
    remoteDocuments: () => openApi.documents(lister.list().filter((service) => service.spec.service && isAvailable(service))),
    async run(client, recorder, signal) {
      const card = registry.find(apiServices.group, apiServices.version, apiServices.resource) as ResourceCard<ApiService> | undefined;
      if (!card) return;
      const registration = new Runner({
        clock, minInterval: 100, onError: (error) => log.warn("local APIServices could not be registered", { error }),
        run: () => registerLocal({ card, cards: registry.cards, lister, isDefined, client, now: clock.now() }),
      });
      const unsubscribe = [registry.resources.onChange(() => registration.trigger()), informers.informer(card).onChange((old, current) => {
        if (!current) {
          documents.delete(old!.metadata.name!);
          openApi.forget(old!.metadata.name!);
        }
        if (current?.spec.service || old?.spec.service) refreshGroups();
        if (!current?.spec.service) registration.trigger();
      })];
      registration.trigger();
      const availability = apiServiceAvailability({ card, check, changed: refreshGroups });
      try {
        await Promise.all([registration.run(signal), startControllers([availability], { clientFor: () => client, recorderFor: () => recorder, informers, clock }, signal)]);
      } finally {
        for (const end of unsubscribe) end();
        servers.close();
      }
    },
  };
}
