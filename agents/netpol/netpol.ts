import { type Nftables, type Table, type TableWatch, Transaction, watchTables } from "nftables-js";
import type { Frozen } from "../../src/apimachinery/meta.ts";
import { namespaces } from "../../src/apis/core/namespace.ts";
import { pods } from "../../src/apis/core/pod/pod.ts";
import type { Pod } from "../../src/apis/generated/core/v1.ts";
import type { NetworkPolicy } from "../../src/apis/generated/networking/v1.ts";
import { networkpolicies } from "../../src/apis/networking/networkpolicy.ts";
import type { Clock } from "../../src/base/clock.ts";
import type { Logger } from "../../src/base/log.ts";
import { Runner } from "../../src/base/runner.ts";
import type { InformerFactory } from "../../src/client/informer.ts";
import { KnownPods } from "./known-pods.ts";
import { firstChain, PolicyTable } from "./policy-table.ts";

export interface NetworkPolicyOptions {
  nft: Nftables;
  /** Ours alone, of the family inet. */
  table: Table;
  informers: InformerFactory;
  nodeName: string;
  clock: Clock;
  log: Logger;
}

/** Changes that come together are applied together; one alone waits no longer than this. */
const minIntervalMs = 20;
/** How often to look whether our table is still whole where the kernel does not say so by itself. */
const checkIntervalMs = 30_000;
/** How long a pod's first container waits for its rules, before the kubelet tries again. */
const longestWaitMs = 10_000;

/**
 * Keeps one nftables table in step with NetworkPolicies and the pods they speak of. The table stays when Skiff stops, and is replaced in one
 * transaction by the next start: isolated pods are never open. A cluster without policies has no table, and is spared the watch of all pods.
 */
export class NetworkPolicies {
  readonly #table: PolicyTable;
  readonly #pods: KnownPods;
  readonly #unsubscribe: (() => void)[] = [];
  #runner: Runner | undefined;
  #watch: TableWatch | undefined;
  #policiesChanged = true;
  #followsPods = false;
  /** Changes that came, and how many of them the kernel has. */
  #requested = 1;
  #applied = 0;
  /** Those who wait for the end of a run. */
  #waiting: (() => void)[] = [];

  constructor(private readonly options: NetworkPolicyOptions) {
    this.#table = new PolicyTable(options.table);
    this.#pods = new KnownPods(options.nodeName);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { informers, clock, log } = this.options;
    const policies = informers.informer(networkpolicies);
    await policies.synced(signal);
    this.#watch = this.#watchTable();
    const runner = this.#runner = new Runner({
      clock, minInterval: minIntervalMs, ...(this.#watch ? {} : { maxInterval: checkIntervalMs }),
      run: () => this.#sync(policies.lister.list(), signal),
      onError: (error, failures) => {
        this.#table.invalidate();
        log.error("network policies could not be applied, loading all anew", { error, failures });
      },
    });
    this.#unsubscribe.push(policies.onChange(() => {
      this.#policiesChanged = true;
      this.#request();
    }));
    try {
      runner.trigger();
      await runner.run(signal);
    } finally {
      for (const stop of this.#unsubscribe) stop();
      this.#watch?.close();
    }
  }

  /** Restores what another program changes in our table, at once. */
  #watchTable(): TableWatch | undefined {
    const { table, log } = this.options;
    return watchTables([table], {
      onChange: () => {
        if (!this.#table.isLoaded) return;
        log.warn("another program changed our nftables table, restoring it", { table: table.name });
        this.#table.invalidate();
        this.#request();
      },
      onLoss: () => this.#request(),
      onForwardChain: () => undefined,
    });
  }

  /**
   * To be awaited between a pod's sandbox and its first container: when it resolves, no packet of the pod passes that its policies deny.
   * Rejects when that can't be had now, or `signal` aborts.
   */
  async podHasAddresses(pod: Frozen<Pod>, ips: readonly string[], signal: AbortSignal): Promise<void> {
    const isSettled = (): boolean => !this.#policiesChanged && !this.#table.changed && this.#applied === this.#requested;
    if (pod.spec.hostNetwork || (isSettled() && !this.#followsPods)) return;
    const key = `${pod.metadata.namespace}/${pod.metadata.name}`;
    this.#table.setPod(key, this.#pods.announce(key, pod, ips));
    if (isSettled()) return;
    this.#request();
    await this.#appliedUpTo(this.#requested, signal);
  }

  #request(): void {
    this.#requested++;
    this.#runner?.trigger();
  }

  async #appliedUpTo(wanted: number, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const timeout = this.options.clock.sleep(longestWaitMs, AbortSignal.any([signal, over.signal])).then(() => { throw new Error("the rules of the pod's network policies are not in place yet"); });
    timeout.catch(() => undefined);
    try {
      while (this.#applied < wanted) await Promise.race([new Promise<void>((resolve) => this.#waiting.push(resolve)), timeout]);
    } finally {
      over.abort();
    }
  }

  async #sync(policies: readonly Frozen<NetworkPolicy>[], signal: AbortSignal): Promise<void> {
    const { nft, table, log, clock } = this.options;
    if (policies.length && !this.#followsPods) await this.#followPods(signal);
    const upTo = this.#requested;
    if (this.#policiesChanged) this.#table.setPolicies(policies);
    this.#policiesChanged = false;
    if (!this.#table.changed && this.#table.isLoaded && !(await this.#isWhole())) {
      log.warn("another program removed our nftables table, restoring it", { table: table.name });
      this.#table.invalidate();
    }
    if (this.#table.changed) {
      const startedAt = clock.monotonic();
      const apply = (): Promise<void> => nft.run(this.#table.takeChanges());
      await (this.#watch ? this.#watch.own(apply) : apply());
      log.debug("network policies applied", { policies: policies.length, ms: clock.monotonic() - startedAt });
    }
    this.#applied = upTo;
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** From the first policy on. */
  async #followPods(signal: AbortSignal): Promise<void> {
    const { informers } = this.options;
    const sources = { pods: informers.informer(pods), namespaces: informers.informer(namespaces) };
    await Promise.all([sources.pods.synced(signal), sources.namespaces.synced(signal)]);
    this.#followsPods = true;
    const requestIfChanged = (): void => {
      if (this.#table.changed) this.#request();
    };
    this.#unsubscribe.push(
      sources.namespaces.onChange((old, current) => {
        this.#table.setNamespace((current ?? old)!.metadata.name!, current ? current.metadata.labels ?? {} : undefined);
        requestIfChanged();
      }),
      sources.pods.onChange((old, current) => {
        const { namespace, name } = (current ?? old)!.metadata;
        const key = `${namespace}/${name}`;
        this.#table.setPod(key, this.#pods.update(key, old, current));
        requestIfChanged();
      }),
    );
  }

  async #isWhole(): Promise<boolean> {
    try {
      return (await this.options.nft.listRules(this.options.table, firstChain)).length > 0;
    } catch {
      return false;
    }
  }
}

/** For a node where NetworkPolicies are switched off: what was set up before is not left in force. */
export async function removePolicyTable({ nft, table }: Pick<NetworkPolicyOptions, "nft" | "table">): Promise<void> {
  await nft.run(new Transaction(table).addTable().deleteTable());
}
