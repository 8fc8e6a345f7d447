import type { Nftables } from "nftables-js";
import type { Frozen } from "../../src/apimachinery/meta.ts";
import { pods } from "../../src/apis/core/pod/pod.ts";
import { services } from "../../src/apis/core/service/service.ts";
import { endpointslices } from "../../src/apis/discovery/endpointslice.ts";
import type { Pod, Service } from "../../src/apis/generated/core/v1.ts";
import type { EndpointSlice } from "../../src/apis/generated/discovery/v1.ts";
import type { Clock } from "../../src/base/clock.ts";
import type { Logger } from "../../src/base/log.ts";
import { Runner } from "../../src/base/runner.ts";
import type { Informer, InformerFactory } from "../../src/client/informer.ts";
import { staleFlows, type ForgetFlows } from "./conntrack.ts";
import { baseTable, emptyRuleset, type ProxyConfig, type Ruleset, ruleset, RulesetError, transition } from "./ruleset.ts";
import { hostPorts, servicePorts } from "./service-ports.ts";

export interface ProxyOptions {
  nft: Nftables;
  informers: InformerFactory;
  nodeName: string;
  config: ProxyConfig;
  forgetFlows: ForgetFlows;
  clock: Clock;
  log: Logger;
}

/** Changes that come together are applied together; one alone waits no longer than this. */
const minIntervalMs = 50;
/** How often to look whether another tool has flushed our table. */
const checkIntervalMs = 30_000;

/**
 * Keeps one nftables table in step with Services, EndpointSlices and the host ports of this node's pods.
 * A start replaces the table in one transaction, so connections see the old or the new rules, never none.
 */
export class ServiceProxy {
  /** What the kernel holds; undefined when it must be loaded anew. */
  #applied: Ruleset | undefined;
  /** How many endpoints a port the base table was made for. */
  #capacity = 0;
  #synced!: () => void;
  /** Resolves when the rules are in place for the first time. */
  readonly ready = new Promise<void>((resolve) => { this.#synced = resolve; });
  constructor(private readonly options: ProxyOptions) {}

  async run(signal: AbortSignal): Promise<void> {
    const { informers, nodeName, clock, log } = this.options;
    const sources = { services: informers.informer(services), slices: informers.informer(endpointslices), pods: informers.informer(pods, { fieldSelector: `spec.nodeName=${nodeName}` }) };
    const runner = new Runner({
      clock, minInterval: minIntervalMs, maxInterval: checkIntervalMs,
      run: () => this.#sync(sources),
      onError: (error, failures) => {
        this.#applied = undefined;
        log.error("service rules could not be applied, loading all anew", { error, failures });
      },
    });
    await Promise.all([sources.services.synced(signal), sources.slices.synced(signal), sources.pods.synced(signal)]);
    const unsubscribe = [
      sources.services.onChange(() => runner.trigger()),
      sources.slices.onChange(() => runner.trigger()),
      sources.pods.onChange((old, current) => {
        if (hasHostPorts(old) || hasHostPorts(current)) runner.trigger();
      }),
    ];
    runner.trigger();
    try {
      await runner.run(signal);
    } finally {
      for (const stop of unsubscribe) stop();
    }
  }

  async #sync(sources: Sources): Promise<void> {
    const { nft, config, nodeName, log, clock, forgetFlows } = this.options;
    const startedAt = clock.now();
    const wanted = ruleset(servicePorts(sources.services.lister.list().filter((service) => !config.localServiceIps.includes(service.spec.clusterIP ?? "")), sources.slices.lister.list(), nodeName), hostPorts(sources.pods.lister.list()));
    if (this.#applied && !(await nft.hasTable(config.table))) {
      log.warn("another program removed our nftables table, restoring it", { table: config.table.name });
      this.#applied = undefined;
    }
    if (!this.#applied || !(await this.#change(this.#applied, wanted))) await this.#load(wanted);
    const before = this.#applied ?? emptyRuleset();
    this.#applied = wanted;
    this.#synced();
    await forgetFlows(staleFlows(before, wanted));
    log.debug("service rules applied", { services: wanted.elements["service-ips"]!.size, ms: clock.now() - startedAt });
  }

  /** False when the table must be loaded anew. */
  async #change(from: Ruleset, to: Ruleset): Promise<boolean> {
    if (to.capacity > this.#capacity) return false;
    try {
      await this.options.nft.run(transition(this.options.config.table, from, to));
      return true;
    } catch (error) {
      if (error instanceof RulesetError) return false;
      throw error;
    }
  }

  /** Base table and contents in one transaction. */
  async #load(wanted: Ruleset): Promise<void> {
    const { nft, config } = this.options;
    const transaction = baseTable(config, wanted.capacity);
    transaction.commands.push(...transition(config.table, emptyRuleset(), wanted).commands);
    await nft.run(transaction);
    this.#capacity = wanted.capacity;
  }
}

interface Sources {
  services: Informer<Service>;
  slices: Informer<EndpointSlice>;
  pods: Informer<Pod>;
}

const hasHostPorts = (pod: Frozen<Pod> | undefined): boolean => pod?.spec.containers.some((container) => container.ports?.some((port) => port.hostPort)) ?? false;
