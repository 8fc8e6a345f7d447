import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Frozen } from "../../src/apimachinery/meta.ts";
import { nodes } from "../../src/apis/core/node.ts";
import type { Node } from "../../src/apis/generated/core/v1.ts";
import type { Clock } from "../../src/base/clock.ts";
import { parseAddress, parseNetwork } from "../../src/base/ip.ts";
import type { Logger } from "../../src/base/log.ts";
import type { PodNetworkMode } from "../../src/base/pod-network.ts";
import { Runner } from "../../src/base/runner.ts";
import type { Client } from "../../src/client/client.ts";
import type { Informer, InformerFactory } from "../../src/client/informer.ts";
import { openNetlink } from "../netlink/kernel-netlink.ts";
import type { Netlink } from "../netlink/netlink.ts";
import { cniConfig } from "./cni-config.ts";
import { HostNetwork, type HostState } from "./host-network.ts";
import { NetworkCondition } from "./network-condition.ts";
import type { NodeAddresses } from "./node-addresses.ts";
import { PathTable } from "./path-table.ts";
import { isByVxlan, type Path, type Peer, planPath, type Vantage, vtepMac, vxlanOverhead } from "./paths.ts";
import { applySysctls, loosePath, routingSysctls } from "./sysctl.ts";

export interface PodNetworkOptions {
  /** Nodes, and nothing else, are read. */
  informers: InformerFactory;
  /** Writes the node's condition NetworkUnavailable. */
  client: Client;
  nodeName: string;
  addresses: NodeAddresses;
  mode: PodNetworkMode;
  /** Names the network, and its links. */
  instance: string;
  clusterCidrs: readonly string[];
  serviceCidrs: readonly string[];
  cniConfDir: string;
  ipamDirectory: string;
  /** See `PodNetworkConfig.first`. */
  firstPlugin?: string | undefined;
  clock: Clock;
  log: Logger;
  netlink?: Netlink;
  /** Sets the kernel's; default: really. */
  applySysctls?(settings: readonly [string, string][]): void;
}

const configName = "10-skiff.conflist";
const settleMs = 50;
const defaultMtu = 1500;

/**
 * The pods' network on this node: its CNI configuration as soon as the node has its pod networks (a node without it is NotReady with the runtime's
 * own "cni plugin not initialized"), and the ways to the pods of all other nodes, kept up while nodes come and go and addresses change.
 * What is set up stays when Skiff stops, as the pods do.
 */
export class PodNetwork {
  readonly #netlink: Netlink;
  readonly #host: HostNetwork;
  readonly #nodes: Informer<Node>;
  readonly #table: PathTable;
  readonly #condition: NetworkCondition;
  readonly #paths = new Map<string, Path>();
  /** Peers that changed since the last run. */
  readonly #changed = new Set<string>();
  /** The machine's network is another, and so may be the ways to all peers. */
  #hostChanged = true;
  /** The kernel may not have what was written. */
  #mayBeGone = true;
  #vantage!: Vantage;
  #state!: HostState;
  constructor(private readonly options: PodNetworkOptions) {
    const { informers, client, nodeName, clusterCidrs, serviceCidrs, clock, log } = options;
    this.#netlink = options.netlink ?? openNetlink();
    this.#host = new HostNetwork(this.#netlink, [...clusterCidrs, ...serviceCidrs]);
    this.#nodes = informers.informer(nodes);
    this.#table = new PathTable({ netlink: this.#netlink, clusterCidrs, log });
    this.#condition = new NetworkCondition({ client, nodeName, node: () => this.#own, clock, log });
  }

  async run(signal: AbortSignal): Promise<void> {
    const { addresses, clock, log, mode, clusterCidrs, cniConfDir, ipamDirectory, nodeName } = this.options;
    this.#applySysctls(routingSysctls(clusterCidrs.map((cidr) => parseNetwork(cidr)!.family)));
    if (mode === "none") {
      this.#remove();
      return aborted(signal);
    }
    for (const directory of [cniConfDir, ipamDirectory]) mkdirSync(directory, { recursive: true, mode: 0o755 });
    const runner = new Runner({
      clock, minInterval: settleMs, run: async () => this.#update(),
      onError: (error, failures) => {
        log.warn("The pod network could not be set up, will try again", { failures, error });
        if (error instanceof PeersFailed) return;
        this.#hostChanged = this.#mayBeGone = true;
        this.#condition.set({ problem: error instanceof Error ? error.message : String(error) });
      },
    });
    const hostChanged = (): void => {
      this.#hostChanged = true;
      runner.trigger();
    };
    const ends = [
      this.#host.onChange((mayBeGone) => {
        this.#mayBeGone ||= mayBeGone;
        hostChanged();
      }),
      addresses.onChange(hostChanged),
      this.#nodes.onChange((old, node) => {
        const name = (node ?? old)!.metadata.name!;
        if (old && node && Bun.deepEquals(factsOf(old), factsOf(node))) return;
        if (name === nodeName) return hostChanged();
        this.#changed.add(name);
        runner.trigger();
      }),
    ];
    await Promise.all([runner.run(signal), this.#condition.run(signal)]);
    for (const end of ends) end();
    this.#netlink.close();
  }

  get #own(): Frozen<Node> | undefined {
    return this.#nodes.lister.get(this.options.nodeName);
  }

  /** The configuration stays when the node object goes: pods that run keep their network. */
  #update(): void {
    const own = this.#own && factsOf(this.#own);
    if (!own?.podCidrs.length) return;
    const everything = this.#hostChanged;
    if (everything) this.#look(own);
    const changed = everything ? [...new Set([...this.#paths.keys(), ...this.#peers().map(({ name }) => name)])] : [...this.#changed];
    this.#changed.clear();
    this.#tellReached(changed.filter((name) => this.#plan(name)));
    const afresh = this.#setVtep(own.podCidrs) || this.#mayBeGone;
    if (afresh) this.#table.reload(this.#paths);
    const failures = this.#put(afresh ? [...this.#paths.keys()] : changed);
    this.#writeConfig(own.podCidrs);
    this.#hostChanged = this.#mayBeGone = false;
    this.#condition.set({});
    if (failures.length > 0) throw new PeersFailed(failures, failures[0]!.message);
  }

  /** What can't be written of one peer, whatever its Node says, keeps no other from being reached; it is tried again. */
  #put(names: readonly string[]): Error[] {
    return names.flatMap((name) => {
      try {
        this.#table.put(name, this.#paths.get(name));
        return [];
      } catch (error) {
        this.#changed.add(name);
        return [new Error(`${name}: ${(error as Error).message}`, { cause: error })];
      }
    });
  }

  #applySysctls(settings: readonly [string, string][]): void {
    (this.options.applySysctls ?? applySysctls)(settings);
  }

  /** Makes room for a network that another program brings. */
  #remove(): void {
    const { instance, cniConfDir } = this.options;
    this.#table.setVtep(vtepNameOf(instance), undefined, true);
    this.#table.reload(this.#paths);
    rmSync(join(cniConfDir, configName), { force: true });
    this.#netlink.close();
  }

  #look({ podCidrs }: Peer): void {
    const { addresses, mode, clusterCidrs } = this.options, [main] = addresses.current;
    this.#state = this.#host.state();
    this.#vantage = { mode, clusterCidrs, podCidrs, routes: this.#state.routes, outerFamily: main ? parseAddress(main)!.family : undefined };
  }

  #peers(): Peer[] {
    return this.#nodes.lister.list().filter(({ metadata }) => metadata.name !== this.options.nodeName).map(factsOf);
  }

  /** Whether its pods are reached, and by another path than before. */
  #plan(name: string): boolean {
    const node = this.#nodes.lister.get(name), before = this.#paths.get(name);
    if (!node) {
      this.#paths.delete(name);
      return false;
    }
    const path = planPath(factsOf(node), this.#vantage);
    this.#paths.set(name, path);
    if (Bun.deepEquals(before, path)) return false;
    if (path.problems.length > 0) this.options.log.warn("Pods of another node can't be reached from here", { node: name, problems: path.problems });
    return path.problems.length === 0 && path.routes.length > 0;
  }

  /** In one line, of however many nodes the cluster has. */
  #tellReached(names: readonly string[]): void {
    if (names.length === 0) return;
    const [byVxlan, byRoutes] = [true, false].map((tunnelled) => names.filter((name) => isByVxlan(this.#paths.get(name)!) === tunnelled));
    const shown = (some: readonly string[]): readonly string[] => (some.length > mostNamed ? [...some.slice(0, mostNamed), `${some.length - mostNamed} more`] : some);
    this.options.log.info("Pods of other nodes are reached", { ...(byRoutes!.length > 0 ? { byRoutes: shown(byRoutes!) } : {}), ...(byVxlan!.length > 0 ? { byVxlan: shown(byVxlan!) } : {}) });
  }

  /** Others may need this node's end of VXLAN even if it doesn't need theirs: what is a link to one may be none to the other. */
  #setVtep(podCidrs: readonly string[]): boolean {
    const { instance, mode, addresses } = this.options, [local] = addresses.current, name = vtepNameOf(instance);
    const isNeeded = local !== undefined && this.#paths.size > 0 && mode !== "routes";
    const afresh = this.#table.setVtep(name, isNeeded ? { name, local, mac: vtepMac(podCidrs[0]!), mtu: this.#linkMtu() - this.#overhead(), podCidrs } : undefined, this.#mayBeGone);
    if (isNeeded && afresh) this.#applySysctls(loosePath(name));
    return afresh;
  }

  /** The MTU of the link that carries the node's main address. */
  #linkMtu(): number {
    const { links, addresses } = this.#state, [main] = this.options.addresses.current;
    const index = addresses.find(({ address }) => address === main)?.index;
    return links.find((link) => link.index === index)?.mtu ?? defaultMtu;
  }

  #overhead(): number {
    return vxlanOverhead[this.#vantage.outerFamily ?? 4];
  }

  #writeConfig(podCidrs: readonly string[]): void {
    const { instance, cniConfDir, ipamDirectory, firstPlugin, mode, log } = this.options;
    const file = join(cniConfDir, configName), usesVxlan = mode === "vxlan" || [...this.#paths.values()].some(isByVxlan);
    const mtu = this.#linkMtu() - (usesVxlan ? this.#overhead() : 0);
    const content = cniConfig({ name: instance, podCidrs, mtu, ipamDirectory, ...(firstPlugin ? { first: firstPlugin } : {}) });
    if (readText(file) === content) return;
    writeFileSync(`${file}.tmp`, content);
    renameSync(`${file}.tmp`, file);
    log.info("Pod network configured", { podCidrs, mtu, file });
  }
}

/** Of some peers the kernel did not take what it was told; all else is as it should be. */
class PeersFailed extends AggregateError {}

/** What of a Node matters to the network, as far as it can be read. */
export function factsOf({ metadata, spec, status }: Frozen<Node>): Peer {
  return {
    name: metadata.name!, podCidrs: (spec?.podCIDRs ?? (spec?.podCIDR ? [spec.podCIDR] : [])).filter((cidr) => parseNetwork(cidr)),
    addresses: (status?.addresses ?? []).filter(({ type, address }) => type === "InternalIP" && parseAddress(address)).map(({ address }) => address),
  };
}

/** Nodes that one line of the log names. */
const mostNamed = 8;

const vtepNameOf = (instance: string): string => `${instance}-vx`;

const aborted = (signal: AbortSignal): Promise<void> => new Promise((resolve) => (signal.aborted ? resolve() : signal.addEventListener("abort", () => resolve(), { once: true })));

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
