import { type Conntrack, type Nftables, type Table, type TableWatch, Transaction, watchTables } from "nftables-js";
import type { Clock } from "../../src/base/clock.ts";
import type { Logger } from "../../src/base/log.ts";
import type { MetricsRegistry } from "../../src/base/metrics.ts";
import { Runner } from "../../src/base/runner.ts";
import type { InformerFactory } from "../../src/client/informer.ts";
import type { EventRecorder } from "../../src/client/recorder.ts";
import { ClusterView, type NodeAddresses, type NodePortAddresses, type ViewChanges } from "./cluster-view.ts";
import type { FamilyConfig } from "./family.ts";
import { FamilyProxy, type NodeFacts } from "./family-proxy.ts";
import { ForeignFirewallCheck } from "./foreign-firewall.ts";
import { HealthCheckServers } from "./health-check.ts";
import { proxyMetrics, type ProxyMetrics } from "./metrics.ts";
import { ProgrammingLatency } from "./programming-latency.ts";
import { missingRequirement } from "./requirements.ts";

export interface ProxyConfig {
  /** One for each address family of the cluster's Services. */
  families: readonly FamilyConfig[];
  /** Of families that the cluster has no more: to be removed. */
  otherTables: readonly Table[];
  nodePortAddresses: NodePortAddresses;
}

export interface ProxyOptions {
  nft: Nftables;
  conntrack: Conntrack;
  informers: InformerFactory;
  /** Told of a Service's health check port that can't be listened on. */
  recorder?: EventRecorder;
  metrics?: MetricsRegistry;
  nodeName: string;
  nodeAddresses: NodeAddresses;
  config: ProxyConfig;
  clock: Clock;
  log: Logger;
}

/** Changes that come together are applied together; one alone waits no longer than this. */
const minIntervalMs = 50;
/** How often to look whether our tables are still there where the kernel does not say so by itself. */
const checkIntervalMs = 30_000;
/** Another program's chain is looked at when it has had time to fill it. */
const foreignRestMs = 1000;

/**
 * Keeps a table of nftables for each address family in step with Services, EndpointSlices and the host ports of this node's pods.
 * A start replaces the tables, each in one transaction, so connections see the old or the new rules, never none; they stay when it ends.
 */
export class ServiceProxy {
  readonly #families: FamilyProxy[];
  readonly #view: ClusterView;
  readonly #health: HealthCheckServers;
  readonly #latency: ProgrammingLatency;
  readonly #metrics: ProxyMetrics | undefined;
  #watch: TableWatch | undefined;
  #synced!: () => void;
  /** Resolves when the rules are in place for the first time. */
  readonly ready = new Promise<void>((resolve) => { this.#synced = resolve; });

  constructor(private readonly options: ProxyOptions) {
    const { config, metrics, recorder, log } = options;
    this.#families = config.families.map((family) => new FamilyProxy({ ...options, config: family }));
    this.#view = new ClusterView(options);
    this.#health = new HealthCheckServers({
      log,
      onRefused: ({ namespace, name, port }, reason) => recorder?.event({ apiVersion: "v1", kind: "Service", namespace, name }, "Warning", "FailedToStartServiceHealthcheck", `node ${options.nodeName} failed to start healthcheck "${namespace}/${name}" on port ${port}: ${reason}`),
    });
    this.#metrics = metrics && proxyMetrics(metrics);
    this.#latency = new ProgrammingLatency(options.clock);
  }

  /** Throws one sentence when this machine lacks what Services need. */
  async run(signal: AbortSignal): Promise<void> {
    const { nft, clock, log, config } = this.options;
    for (const family of config.families) {
      const missing = await missingRequirement(nft, family);
      if (missing) throw new Error(missing);
    }
    const runner = new Runner({
      clock, minInterval: minIntervalMs, run: () => this.#sync(),
      onError: (error, failures) => {
        this.#health.healthy = false;
        log.error("service rules could not be applied, loading all anew", { error, failures });
      },
    });
    for (const table of config.otherTables) if (await nft.hasTable(table)) await nft.run(new Transaction(table).deleteTable());
    const stopView = await this.#view.start(signal, () => runner.trigger());
    const foreign = this.#watchOthers(runner, signal);
    runner.trigger();
    try {
      await Promise.all([runner.run(signal), foreign.run(signal), ...(this.#watch ? [] : [this.#lookNowAndThen(runner, signal)])]);
    } finally {
      stopView();
      this.#watch?.close();
      this.#health.close();
    }
  }

  /** Restores what another program removes from our tables, at once, and tells of firewalls that keep pods from each other. */
  #watchOthers(runner: Runner, signal: AbortSignal): Runner {
    const { nft, config, clock, log } = this.options;
    const ownTables = config.families.map(({ table }) => table);
    const check = new ForeignFirewallCheck({ nft, ownTables, clusterCidrs: config.families.flatMap(({ clusterCidrs }) => clusterCidrs), log });
    const foreign = new Runner({ clock, minInterval: foreignRestMs, run: () => check.run(), onError: (error) => log.warn("other programs' firewalls could not be looked at", { error }) });
    foreign.trigger();
    if (!signal.aborted) this.#watch = watchTables(ownTables, {
      onChange: (table) => {
        const changed = this.#families.find(({ config: { table: own } }) => own === table);
        if (!changed?.table.isLoaded) return;
        log.warn("another program changed our nftables table, restoring it", { table: `${table.family} ${table.name}` });
        changed.table.lost();
        runner.trigger();
      },
      onLoss: () => void this.#look(runner),
      onForwardChain: () => void clock.sleep(foreignRestMs, signal).then(() => foreign.trigger(), () => undefined),
    });
    for (const { table } of this.#families) table.own = (transaction) => this.#watch?.own(transaction) ?? transaction();
    return foreign;
  }

  async #lookNowAndThen(runner: Runner, signal: AbortSignal): Promise<void> {
    const { clock } = this.options;
    for (;;) {
      await clock.sleep(checkIntervalMs, signal).catch(() => undefined);
      if (signal.aborted) return;
      await this.#look(runner);
    }
  }

  async #look(runner: Runner): Promise<void> {
    const { nft, log } = this.options;
    for (const { table, config } of this.#families) {
      if (!table.isLoaded || (await nft.hasTable(config.table).catch(() => true))) continue;
      log.warn("another program removed our nftables table, restoring it", { table: `${config.table.family} ${config.table.name}` });
      table.lost();
      runner.trigger();
    }
  }

  async #sync(): Promise<void> {
    const { log, clock } = this.options;
    const startedAt = clock.monotonic();
    const changes = this.#view.takeChanges(), node = this.#nodeFacts();
    for (const family of this.#families) this.#plan(family, changes, node);
    for (const family of this.#families) await this.#apply(family, node);
    this.#latency.applied(changes.services, (key) => this.#view.slicesOf(key), (seconds) => this.#metrics?.programmed(seconds));
    this.#health.healthy = true;
    this.#health.sync(this.#families.flatMap((family) => family.healthChecks(node.nodePortAddresses)));
    this.#synced();
    log.debug("service rules applied", { services: changes.services.size, hostPortPods: changes.pods.size, ms: clock.monotonic() - startedAt });
  }

  #nodeFacts(): NodeFacts {
    return { ...this.#view.place, nodeIps: this.#view.nodeIps, nodePortAddresses: this.#view.nodePortAddresses(this.options.config.nodePortAddresses) };
  }

  #plan(family: FamilyProxy, changes: ViewChanges, node: NodeFacts): void {
    for (const key of changes.services) this.#alone("Service", key, () => family.setService(key, this.#view.service(key), this.#view.slicesOf(key), node));
    for (const key of changes.pods) this.#alone("pod", key, () => family.setPod(key, this.#view.pod(key)));
    family.setNode(node);
  }

  /** One object that can't be understood does not keep the others from their rules. */
  #alone(kind: string, key: string, plan: () => void): void {
    try {
      plan();
    } catch (error) {
      this.options.log.error("the rules of an object could not be worked out", { kind, key, error });
    }
  }

  async #apply(family: FamilyProxy, node: NodeFacts): Promise<void> {
    const { clock, log } = this.options, name = family.config.family;
    const startedAt = clock.monotonic();
    try {
      await family.table.apply();
    } catch (error) {
      this.#metrics?.failed(name);
      throw error;
    }
    this.#metrics?.synced(name, (clock.monotonic() - startedAt) / 1000, clock.now() / 1000);
    try {
      const forgotten = family.forgetFlows(node);
      if (forgotten > 0) this.#metrics?.flowsForgotten(name, forgotten);
    } catch (error) {
      log.warn("old UDP flows could not be forgotten; their clients may have to start anew", { error });
    }
  }
}
