import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unmountBelow } from "../containerd.ts";
import { removeLeftovers } from "../leftovers.ts";
import { holdNamespaces, type NamespaceHolder, runNow } from "./namespaces.ts";
import { instanceOf, TestNode, type TestNodeOptions } from "./test-node.ts";

/**
 * A network of machines made of namespaces: nodes with their own network, processes, mounts, host name, /run and /etc; a switch for each
 * segment; a router between the segments.
 *
 *     await using fabric = await createFabric();
 *     const a = await fabric.node("a"), b = await fabric.node("b");                        // 192.168.77.11, 192.168.77.12: neighbours
 *     const far = await fabric.node("far", { segment: "remote" });                         // 192.168.78.13: behind the router
 *     const hidden = await fabric.node("hidden", { segment: fabric.segment("home", { nat: true }).name });  // reaches others, none reaches it
 *     await a.run(["busybox", "ping", "-c", "1", b.ip]);
 *     a.unplug(); a.plug(); await a.powerCut(); await a.boot(); a.changeAddress(50); a.lose(20); a.limit(1000);
 *
 * Each segment is `192.168.<n>.0/24` and `fd<n>::/64`, where the router has the first address; each node has the host number 11, 12, ...
 * in whatever segment it is. The router answers as `outsideIp` too, an address of no segment: the world outside.
 * All ends with the process that made it, however it ends; a directory left over by a killed one goes when the next fabric is made.
 */
export interface Fabric extends AsyncDisposable {
  /** `<directory>/<node>` is each node's disk. Gone with the fabric. */
  readonly directory: string;
  readonly outsideIp: string;
  /** The command, to be run on the router. */
  onRouter(command: readonly string[]): string[];
  /** The segment of this name, made when it isn't there. `nat`: its nodes are seen with the router's address, and nobody can reach into it. */
  segment(name: string, options?: { nat?: boolean; mtu?: number }): Segment;
  /** A machine that is switched on. */
  node(name: string, options?: TestNodeOptions): Promise<TestNode>;
  readonly nodes: readonly TestNode[];
  /** Switches everything off and removes it. */
  dispose(): Promise<void>;
}

export interface Segment {
  name: string;
  /** Names its bridge on the router. */
  bridge: string;
  /** The third byte of its IPv4 addresses. */
  number: number;
  mtu: number;
}

export const defaultSegment = "lan";
const firstSegmentNumber = 77;
const firstHostNumber = 11;
const directoryPrefix = "skiff-fabric-";

export async function createFabric(): Promise<Fabric> {
  removeStaleFabrics();
  const directory = mkdtempSync(join(tmpdir(), `${directoryPrefix}${process.pid}-`));
  const router = await holdNamespaces(["--net", "--mount", "--pid", "--mount-proc"], ["sh", "-c", "ip link set lo up && echo up && exec sleep infinity"]);
  const fabric = new NamespaceFabric(directory, router);
  fabric.prepare();
  return fabric;
}

class NamespaceFabric implements Fabric {
  readonly outsideIp = "203.0.113.1";
  readonly nodes: TestNode[] = [];
  readonly #segments = new Map<string, Segment>();
  constructor(readonly directory: string, private readonly router: NamespaceHolder) {
    process.on("exit", this.#removeNow);
  }

  prepare(): void {
    this.#onRouter([
      "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.accept_dad=0",
      // Frames between nodes of one segment are the switch's business, not the router's.
      "for f in /proc/sys/net/bridge/bridge-nf-call-*; do [ ! -e $f ] || echo 0 > $f; done",
      `ip address add ${this.outsideIp}/32 dev lo`,
      "nft 'table inet nat { chain postrouting { type nat hook postrouting priority srcnat; }; chain forward { type filter hook forward priority filter; ct state established,related accept; }; }'",
      "nft 'table bridge loss { chain forward { type filter hook prerouting priority filter; }; }'",
    ].join("\n"));
    this.segment(defaultSegment);
  }

  onRouter(command: readonly string[]): string[] {
    return ["nsenter", "--target", String(this.router.pid), "--net", ...command];
  }

  segment(name: string, { nat = false, mtu = 1500 }: { nat?: boolean; mtu?: number } = {}): Segment {
    const known = this.#segments.get(name);
    if (known) return known;
    const number = firstSegmentNumber + this.#segments.size, bridge = `br${number}`;
    this.#onRouter([
      `ip link add ${bridge} mtu ${mtu} type bridge`, `ip link set ${bridge} up`,
      `ip address add 192.168.${number}.1/24 dev ${bridge}`, `ip -6 address add fd${number}::1/64 dev ${bridge} nodad`,
      ...(nat ? [`nft add rule inet nat postrouting iifname ${bridge} oifname != ${bridge} masquerade`, `nft add rule inet nat forward iifname != ${bridge} oifname ${bridge} drop`] : []),
    ].join("\n"));
    const segment = { name, bridge, number, mtu };
    this.#segments.set(name, segment);
    return segment;
  }

  async node(name: string, options: TestNodeOptions = {}): Promise<TestNode> {
    const disk = join(this.directory, name);
    mkdirSync(disk);
    if (options.diskBytes) runNow(["mount", "-t", "tmpfs", "-o", `size=${options.diskBytes}`, "tmpfs", disk]);
    const node = new TestNode({ name, disk, host: firstHostNumber + this.nodes.length, router: this.router.pid, segment: (segment) => this.segment(segment) }, options);
    this.nodes.push(node);
    await node.boot();
    return node;
  }

  async dispose(): Promise<void> {
    process.off("exit", this.#removeNow);
    await Promise.all(this.nodes.map((node) => node.powerCut()));
    await this.router.kill();
    removeFabric(this.directory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  /** The namespaces end by themselves. */
  readonly #removeNow = (): void => removeFabric(this.directory);

  #onRouter(script: string): void {
    runNow(this.onRouter(["sh", "-e", "-s"]), script);
  }
}

function removeFabric(directory: string): void {
  for (const name of readdirSync(directory)) removeLeftovers(instanceOf(join(directory, name)), [join(directory, name)]);
  unmountBelow(directory);
  rmSync(directory, { recursive: true, force: true });
}

/** A test that was killed could not clean up: its directories name the process that made them. */
function removeStaleFabrics(): void {
  for (const name of readdirSync(tmpdir())) {
    const owner = new RegExp(`^${directoryPrefix}(\\d+)-`).exec(name)?.[1];
    if (owner && !isRunning(Number(owner))) removeFabric(join(tmpdir(), name));
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
