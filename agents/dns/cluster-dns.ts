import { BlockList, isIPv6 } from "node:net";
import { configmaps } from "../../src/apis/core/configmap.ts";
import type { Clock } from "../../src/base/clock.ts";
import type { Logger } from "../../src/base/log.ts";
import type { MetricsRegistry } from "../../src/base/metrics.ts";
import type { InformerFactory } from "../../src/client/informer.ts";
import { backoffDelay } from "../../src/base/backoff.ts";
import { openNetlink } from "../netlink/kernel-netlink.ts";
import { AnswerCache } from "./answer-cache.ts";
import { defaultConfiguration, type DnsConfiguration, parseConfiguration } from "./configuration.ts";
import { keepAddresses } from "./dns-interface.ts";
import { Forwarder } from "./forwarder.ts";
import { NameServers } from "./name-servers.ts";
import { ClusterRecords } from "./records.ts";
import { dnsMetrics } from "./metrics.ts";
import { Resolver } from "./resolver.ts";
import { serveDns } from "./server.ts";
import { ZoneAnswers } from "./zone-answers.ts";

export interface ClusterDnsOptions {
  /** The cluster's DNS addresses; every node answers them itself. */
  addresses: readonly string[];
  domain: string;
  /** Networks of pods and Services, whose addresses nobody else can name. */
  clusterNetworks: readonly string[];
  /** The interface that carries the addresses. */
  interfaceName: string;
  informers: InformerFactory;
  metrics?: MetricsRegistry;
  clock: Clock;
  log: Logger;
}

const dnsPort = 53;
const configurationName = { namespace: "kube-system", name: "skiff-dns" };
const loopAdvice = "correct the node's /etc/resolv.conf, or name others as upstreamNameservers in the ConfigMap kube-system/skiff-dns";
const portTaken = (address: string): string => `pods have no DNS: port ${dnsPort} of ${address} is taken, most likely by a DNS server that listens on all addresses of this machine: make it listen on its own only (dnsmasq: bind-dynamic; unbound, BIND: name the interfaces)`;
const bindRetry = { base: 500, max: 30_000, jitter: 0.1 };

/** DNS on each node: a pod's query never leaves it, and names work while the server is away. */
export class ClusterDns {
  #started!: () => void;
  /** Resolves when queries are answered, or another program holds the port: a node without DNS is better than none. */
  readonly ready = new Promise<void>((resolve) => { this.#started = resolve; });
  constructor(private readonly options: ClusterDnsOptions) {}

  async run(signal: AbortSignal): Promise<void> {
    const { addresses, domain, informers, clock, log, clusterNetworks, interfaceName } = this.options;
    const records = new ClusterRecords(informers);
    const cache = new AnswerCache(() => clock.monotonic());
    const forwarder = new Forwarder({ clock, log, loopAdvice });
    const servers = new NameServers({
      ownAddresses: addresses,
      onChange() {
        cache.expire();
        forwarder.reset();
        log.info("the node has other name servers");
      },
    }, defaultConfiguration);
    const zone = new ZoneAnswers({ domain, records, isClusterAddress: membership(clusterNetworks) });
    const resolver = new Resolver({ zone, forwarder, servers, cache, clock });
    if (this.options.metrics) dnsMetrics(this.options.metrics, resolver.counts, cache);
    const configured = informers.informer(configmaps, { namespace: configurationName.namespace, fieldSelector: `metadata.name=${configurationName.name}` });
    const unsubscribe = configured.onChange((_, map) => {
      const configuration = this.#read(map?.data);
      if (!configuration) return;
      resolver.configuration = servers.configuration = configuration;
      cache.clear();
      forwarder.reset();
    });
    try {
      await records.synced(signal);
      const netlink = openNetlink();
      const release = keepAddresses(netlink, interfaceName, addresses, log);
      try {
        await Promise.all(addresses.map((address) => this.#serve(address, resolver, signal)));
      } finally {
        release();
        netlink.close();
      }
    } finally {
      unsubscribe();
      zone.close();
      records.close();
    }
  }

  /** Answers until `signal` aborts. Waits for the port while another program has it. */
  async #serve(address: string, resolver: Resolver, signal: AbortSignal): Promise<void> {
    const { clock, log, domain } = this.options;
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        const server = await serveDns({ address, port: dnsPort, resolver, log });
        log.info("cluster DNS answers", { address, domain });
        this.#started();
        await new Promise<void>((resolve) => (signal.aborted ? resolve() : signal.addEventListener("abort", () => resolve(), { once: true })));
        return server.close();
      } catch (error) {
        if (failures === 0) log.error((error as { code?: string }).code === "EADDRINUSE" ? portTaken(address) : `pods have no DNS: ${address} could not be listened on`, { error });
        this.#started();
        await clock.sleep(backoffDelay(failures, bindRetry), signal).catch(() => undefined);
      }
    }
  }

  /** Undefined, with a warning, when it says nothing that can be followed: what was valid before stays so. */
  #read(data: Readonly<Record<string, string>> | undefined): DnsConfiguration | undefined {
    try {
      return parseConfiguration(data ?? {});
    } catch (error) {
      this.options.log.warn("the ConfigMap kube-system/skiff-dns has a mistake, the configuration before it stays in force", { error });
      return undefined;
    }
  }
}

function membership(networks: readonly string[]): (ip: string) => boolean {
  const list = new BlockList();
  const familyOf = (ip: string): "ipv4" | "ipv6" => (isIPv6(ip) ? "ipv6" : "ipv4");
  for (const network of networks) {
    const [base = "", prefix] = network.split("/");
    list.addSubnet(base, Number(prefix), familyOf(base));
  }
  return (ip) => list.check(ip, familyOf(ip));
}
