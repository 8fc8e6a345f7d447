import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";
import { isNotFound } from "../../src/apimachinery/status.ts";
import { keyOf, type Frozen, type KubeObject } from "../../src/apimachinery/meta.ts";
import { nodes } from "../../src/apis/core/node.ts";
import { secrets } from "../../src/apis/core/secret.ts";
import { services } from "../../src/apis/core/service/service.ts";
import { endpointslices } from "../../src/apis/discovery/endpointslice.ts";
import type { Node, Secret, Service } from "../../src/apis/generated/core/v1.ts";
import type { EndpointSlice } from "../../src/apis/generated/discovery/v1.ts";
import type { Ingress, IngressClass, IngressLoadBalancerIngress } from "../../src/apis/generated/networking/v1.ts";
import { ingressclasses } from "../../src/apis/networking/ingressclass.ts";
import { ingresses } from "../../src/apis/networking/ingress.ts";
import type { Clock } from "../../src/base/clock.ts";
import type { Logger } from "../../src/base/log.ts";
import { Runner } from "../../src/base/runner.ts";
import type { Client } from "../../src/client/client.ts";
import type { Informer, InformerFactory } from "../../src/client/informer.ts";
import type { EventRecorder } from "../../src/client/recorder.ts";
import { Complaints } from "./complaints.ts";
import type { KeyPair } from "./key-pair.ts";
import { certificateFile, nginxConfig, type NginxSettings } from "./nginx-config.ts";
import { Nginx } from "./nginx.ts";
import { routesOf, type Routes } from "./routes.ts";
import { hasIpv6, processGroup, workerUser } from "./host.ts";

export interface IngressControllerOptions {
  client: Client;
  informers: InformerFactory;
  recorder: EventRecorder;
  clock: Clock;
  log: Logger;
  nodeName: string;
  /** On a tmpfs. */
  directory: string;
  /** The control group that nginx runs in, such as `/skiff/ingress`. */
  cgroup: string;
  httpPort: number;
  httpsPort: number;
  /** The cluster's DNS, for Services of type ExternalName. */
  resolvers: readonly string[];
  /** The certificate for hosts that have none of their own. */
  ownCertificate(): Promise<KeyPair>;
}

/** The label of an EndpointSlice that names its service. */
const serviceNameLabel = "kubernetes.io/service-name";
const minIntervalMs = 500;

/**
 * Serves Ingresses by an nginx of its own on this node's ports. It starts with the first Ingress; until then it costs nothing.
 * Pods come and go without a new configuration: Services are reached by their own addresses.
 */
export class IngressController {
  readonly #nginx: Nginx;
  /** What is being served. */
  #applied = "";
  #generation = 0;
  /** `namespace/name` of Services and Secrets that the Ingresses name: changes of others don't matter. */
  #named = new Set<string>();
  readonly #complaints: Complaints;
  constructor(private readonly options: IngressControllerOptions) {
    const { directory, clock, log, cgroup } = options;
    this.#complaints = new Complaints(options);
    this.#nginx = new Nginx({ directory, clock, log, group: processGroup(cgroup) });
  }

  async run(signal: AbortSignal): Promise<void> {
    const { informers, clock, log, nodeName } = this.options;
    const sources = {
      classes: informers.informer(ingressclasses), ingresses: informers.informer(ingresses), services: informers.informer(services), slices: informers.informer(endpointslices),
      secrets: informers.informer(secrets, { fieldSelector: "type=kubernetes.io/tls" }), node: informers.informer(nodes, { fieldSelector: `metadata.name=${nodeName}` }),
    };
    const runner = new Runner({
      clock, minInterval: minIntervalMs, run: (until) => this.#sync(sources, until),
      onError: (error, failures) => {
        if (failures === 1) log.error("Ingresses could not be served, the last good configuration stays", { error });
      },
    });
    try {
      await Promise.all(Object.values(sources).map((informer) => informer.synced(signal)));
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
    const watch = <T extends KubeObject>(informer: Informer<T>, matters: (object: Frozen<T>) => boolean): (() => void) => informer.onChange((old, current) => {
      if ((current && matters(current)) || (old && matters(old))) runner.trigger();
    });
    const named = (object: Frozen<KubeObject>): boolean => this.#named.has(keyOf(object));
    const unsubscribe = [
      watch(sources.classes, () => true), watch(sources.ingresses, () => true), watch(sources.services, named), watch(sources.secrets, named),
      watch(sources.slices, (slice) => this.#named.has(serviceOf(slice))), watch(sources.node, () => true),
    ];
    try {
      await Promise.all([runner.run(signal), this.#nginx.run(signal)]);
    } finally {
      for (const stop of unsubscribe) stop();
    }
  }

  async #sync(sources: Sources, signal: AbortSignal): Promise<void> {
    const { log, directory, ownCertificate } = this.options;
    const slices = Map.groupBy(sources.slices.lister.list(), serviceOf);
    const named = new Set<string>();
    const find = <T extends KubeObject>(informer: Informer<T>) => (key: string): Frozen<T> | undefined => {
      named.add(key);
      return informer.lister.get(key);
    };
    const routes = routesOf({
      classes: sources.classes.lister.list(), ingresses: sources.ingresses.lister.list(), service: find(sources.services), secret: find(sources.secrets), slices: (service) => slices.get(keyOf(service)) ?? [],
    });
    this.#named = named;
    if (routes.served.length === 0 && this.#applied === "") return this.#complaints.set(routes.problems);
    const allFail = (message: string): void => this.#complaints.set([...routes.problems, ...routes.served.map((ingress) => ({ ingress, reason: "NotServed" as const, message }))]);

    if (!Bun.which("nginx")) {
      const message = "nginx is not installed on the server: install your distribution's nginx package, leave its own service off; or run the server with --disable ingress";
      allFail(message);
      throw new Error(message);
    }
    const wanted = JSON.stringify([nginxConfig(routes, this.#settings(), 0), [...routes.certificates]]);
    if (wanted !== this.#applied) {
      // Each try has its own: nginx may still take the one of before, when it was waited for no longer.
      const generation = ++this.#generation;
      this.#writeCertificates(routes, this.#applied === "" ? await ownCertificate() : undefined);
      await this.#nginx.apply(nginxConfig(routes, this.#settings(), generation), generation, signal).catch((error: Error) => {
        allFail(error.message);
        throw error;
      });
      this.#applied = wanted;
      this.#forgetCertificates(routes);
      log.info("Ingresses are served", { hosts: routes.sites.length, directory });
    }
    this.#complaints.set(routes.problems);
    await this.#report(routes, addressesOf(sources.node.lister.list()[0]));
  }

  #settings(): NginxSettings {
    const { directory, httpPort, httpsPort, resolvers } = this.options;
    return { directory, httpPort, httpsPort, resolvers, ipv6: hasIpv6(), user: workerUser(), workers: Math.min(2, availableParallelism()) };
  }

  #writeCertificates({ certificates }: Routes, own: KeyPair | undefined): void {
    const { directory } = this.options;
    mkdirSync(join(directory, "certificates"), { recursive: true, mode: 0o700 });
    const write = (file: string, { certificate, key }: KeyPair): void => writeFileSync(file, `${certificate}${key}`, { mode: 0o600 });
    if (own) write(certificateFile(directory), own);
    for (const [name, pair] of certificates) write(certificateFile(directory, name), pair);
  }

  #forgetCertificates({ certificates }: Routes): void {
    const { directory } = this.options;
    const needed = new Set([certificateFile(directory), ...[...certificates.keys()].map((name) => certificateFile(directory, name))].map((file) => basename(file)));
    for (const file of readdirSync(join(directory, "certificates"))) if (!needed.has(file)) rmSync(join(directory, "certificates", file));
  }

  /** Users and external DNS read from the status where to connect to. */
  async #report({ served }: Routes, addresses: IngressLoadBalancerIngress[]): Promise<void> {
    for (const { metadata: { namespace, name }, status } of served) {
      if (Bun.deepEquals(status?.loadBalancer?.ingress ?? [], addresses)) continue;
      const body = { status: { loadBalancer: { ingress: addresses.length > 0 ? addresses : null } } };
      await this.options.client.patch(ingresses, { namespace, name: name! }, { type: "application/merge-patch+json", body }, { subresource: "status" }).catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
    }
  }
}

interface Sources {
  classes: Informer<IngressClass>;
  ingresses: Informer<Ingress>;
  services: Informer<Service>;
  slices: Informer<EndpointSlice>;
  secrets: Informer<Secret>;
  node: Informer<Node>;
}

const serviceOf = ({ metadata: { namespace, labels } }: Frozen<EndpointSlice>): string => `${namespace}/${labels?.[serviceNameLabel]}`;

/** The external addresses where there are some, else the internal ones. */
function addressesOf(node: Frozen<Node> | undefined): IngressLoadBalancerIngress[] {
  const ofType = (wanted: string): IngressLoadBalancerIngress[] => (node?.status?.addresses ?? []).filter(({ type }) => type === wanted).map(({ address }) => ({ ip: address }));
  const external = ofType("ExternalIP");
  return external.length > 0 ? external : ofType("InternalIP");
}
