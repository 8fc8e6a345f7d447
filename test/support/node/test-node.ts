import { randomBytes } from "node:crypto";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Layout, layoutOf } from "../../../src/server/layout.ts";
import { removeLeftovers } from "../leftovers.ts";
import { type Outcome, outcomeOf, output, type RunOptions } from "../running.ts";
import type { Segment } from "./fabric.ts";
import { childrenOf, holdNamespaces, type NamespaceHolder, runNow } from "./namespaces.ts";

export interface TestNodeOptions {
  /** The segment it is plugged into; `lan` when nothing is said. */
  segment?: string;
  /** `false` for a machine without IPv6, or without IPv4. Both by default. */
  ipv4?: boolean;
  ipv6?: boolean;
  /** `false` for a machine that knows no way out of its segment. */
  defaultRoute?: boolean;
  /** Switched on without any address, as before DHCP has answered. */
  addresses?: boolean;
  /** How large its disk is, which then lies in memory; what the machine has when nothing is said. */
  diskBytes?: number;
}

/** What the fabric gives a node. */
export interface Place {
  name: string;
  disk: string;
  /** The last byte of its addresses. */
  host: number;
  /** A process of the router's. */
  router: number;
  segment(name: string): Segment;
}

/** A program that goes on running on a node until it ends, is killed, or the power is cut. */
export interface NodeProgram {
  /** As the machine numbers it, not the node. */
  readonly pid: number;
  readonly exited: Promise<number>;
  readonly exitCode: number | null;
  kill(signal?: NodeJS.Signals): void;
}

let ports = 0;

/** A machine made of namespaces, with one network card, `eth0`. What is on its disk survives `powerCut`, what it runs and its network don't. */
export class TestNode {
  readonly name: string;
  /** Where a Skiff on it keeps its data; named so that two nodes never share cgroups. */
  readonly layout: Layout;
  ipv4: string | undefined;
  ipv6: string | undefined;
  /** The card's, the same after each boot. */
  readonly mac: string;
  #holder: NamespaceHolder | undefined;
  #port: string | undefined;
  #segment: Segment;
  #host: number;

  constructor(private readonly place: Place, private readonly options: TestNodeOptions) {
    this.name = place.name;
    this.layout = layoutOf(dataDirOf(place.disk));
    this.#segment = place.segment(options.segment ?? "lan");
    this.#host = place.host;
    this.mac = `02:00:00:00:${hex(this.#segment.number)}:${hex(place.host)}`;
    for (const directory of ["cgroup", "etc", "etc.work"]) mkdirSync(join(place.disk, directory));
    writeFileSync(join(place.disk, "etc/machine-id"), `${randomBytes(16).toString("hex")}\n`);
    writeFileSync(join(place.disk, "etc/hostname"), `${place.name}\n`);
  }

  get disk(): string {
    return this.place.disk;
  }
  /** Its IPv4 address, or the IPv6 one where it has no other. */
  get ip(): string {
    const address = this.ipv4 ?? this.ipv6;
    if (!address) throw new Error(`${this.name} has no address`);
    return address;
  }
  get segment(): string {
    return this.#segment.name;
  }
  get isOn(): boolean {
    return this.#holder !== undefined;
  }

  /** Switches it on, with the disk as it was and a cable in its card. */
  async boot(): Promise<void> {
    if (this.#holder) throw new Error(`${this.name} is on already`);
    this.#holder = await holdNamespaces(["--net", "--mount", "--uts", "--ipc", "--pid"], ["sh", join(import.meta.dir, "boot.sh"), this.name, this.disk]);
    this.#run("sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0");
    this.#connect();
    if (this.options.addresses !== false) this.setAddresses();
  }

  /** Ends everything that runs on it at the same moment. Nothing is flushed or told. */
  async powerCut(): Promise<void> {
    const holder = this.#holder;
    if (!holder) return;
    this.#holder = undefined;
    this.ipv4 = this.ipv6 = undefined;
    await holder.kill();
    this.#disconnect();
    removeLeftovers(this.layout.instance, []);
  }

  /** Takes the cable out: the card has no carrier, its addresses and routes stay. */
  unplug(): void {
    this.#onSwitch(`ip link set ${this.#port} down`);
  }

  plug(): void {
    this.#onSwitch(`ip link set ${this.#port} up`);
  }

  /** Moves the cable to another segment. The node keeps its old addresses, of no use there, until `setAddresses`. */
  moveTo(segment: string): void {
    this.#segment = this.place.segment(segment);
    this.#onSwitch(`ip link set ${this.#port} master ${this.#segment.bridge}`);
  }

  /** Takes this address instead of the ones it has, and the default route with it, as DHCP does. By default what it has in its segment. */
  changeAddress(host = this.#host): void {
    this.#host = host;
    this.dropAddresses();
    this.setAddresses();
  }

  /** No address, no default route: DHCP has not answered. */
  dropAddresses(): void {
    this.ipv4 = this.ipv6 = undefined;
    this.#run("ip address flush dev eth0 scope global");
  }

  setAddresses(): void {
    const { ipv4 = true, ipv6 = true, defaultRoute = true } = this.options;
    const { number } = this.#segment;
    const lines: string[] = [];
    if (ipv4) {
      this.ipv4 = `192.168.${number}.${this.#host}`;
      lines.push(`ip address add ${this.ipv4}/24 dev eth0`, ...(defaultRoute ? [`ip route replace default via 192.168.${number}.1`] : []));
    }
    if (ipv6) {
      this.ipv6 = `fd${number}::${this.#host}`;
      lines.push(`ip -6 address add ${this.ipv6}/64 dev eth0 nodad`, ...(defaultRoute ? [`ip -6 route replace default via fd${number}::1`] : []));
    }
    this.#run(lines.join("\n"));
  }

  /** Loses this share of all it sends, in percent; 0 ends it. */
  lose(percent: number): void {
    const chain = `loss-${this.#port}`;
    this.#onSwitch([
      `nft add chain bridge loss ${chain}`, `nft flush chain bridge loss ${chain}`,
      `nft list chain bridge loss forward | grep -q ${chain} || nft add rule bridge loss forward iifname ${this.#port} jump ${chain}`,
      ...(percent > 0 ? [`nft add rule bridge loss ${chain} numgen random mod 1000 '<' ${Math.min(percent * 10, 999)} drop`] : []),
    ].join("\n"));
  }

  /** A slow line towards it, of so many kbit/s, until it is switched off. */
  limit(kbit: number): void {
    this.#onSwitch(`tc qdisc replace dev ${this.#port} root tbf rate ${kbit}kbit burst 16kb latency 400ms`);
  }

  /** The command, to be run on the node with all its namespaces. It must name files by absolute paths. */
  readonly inside = (command: readonly string[]): string[] => ["nsenter", "--target", this.#pid, "--mount", "--uts", "--ipc", "--net", "--pid", "--", ...command];

  /** The command, to be run with the node's network only: for programs of the test's, such as kubectl, that need files of the machine's. */
  readonly insideNetwork = (command: readonly string[]): string[] => ["nsenter", "--target", this.#pid, "--net", ...command];

  exec(command: readonly string[], options?: RunOptions): Promise<Outcome> {
    return outcomeOf(this.inside(command), options);
  }

  /** What it prints; throws with all it wrote when it fails. */
  run(command: readonly string[], options?: RunOptions): Promise<string> {
    return output(this.inside(command), options);
  }

  /** Starts a program on the node; what it writes is added to `logFile`. */
  spawn(command: readonly string[], { logFile, env }: { logFile: string; env?: Record<string, string> }): NodeProgram {
    const log = openSync(logFile, "a");
    const child = Bun.spawn(this.inside(command), { stdin: "ignore", stdout: log, stderr: log, env: { ...process.env, ...env } });
    closeSync(log);
    // nsenter stays outside and waits for the program: signals are for the latter.
    const pid = (): number => childrenOf(child.pid)[0] ?? child.pid;
    return {
      get pid() {
        return pid();
      },
      exited: child.exited,
      get exitCode() {
        return child.exitCode;
      },
      kill(signal = "SIGTERM") {
        if (child.exitCode === null) process.kill(pid(), signal);
      },
    };
  }

  /** What a file on the node's /run or elsewhere holds; undefined when there is none. */
  readFile(path: string): string | undefined {
    const file = `/proc/${this.#pid}/root${path}`;
    return existsSync(file) ? readFileSync(file, "utf8") : undefined;
  }

  get #pid(): string {
    if (!this.#holder) throw new Error(`${this.name} is off`);
    return String(this.#holder.pid);
  }

  #connect(): void {
    this.#port = `p${++ports}`;
    const { bridge, mtu } = this.#segment;
    this.#onSwitch([
      `ip link add ${this.#port} mtu ${mtu} type veth peer name eth0 address ${this.mac} mtu ${mtu} netns ${this.#pid}`,
      `ip link set ${this.#port} master ${bridge} up`,
    ].join("\n"));
    this.#run("ip link set eth0 up");
  }

  #disconnect(): void {
    // The card goes with the node's network, and the port with the card: whichever is first.
    Bun.spawnSync(["nsenter", "--target", String(this.place.router), "--net", "ip", "link", "delete", this.#port!]);
  }

  #onSwitch(script: string): void {
    runNow(["nsenter", "--target", String(this.place.router), "--net", "sh", "-e", "-s"], script);
  }

  #run(script: string): void {
    runNow(this.inside(["sh", "-e", "-s"]), script);
  }
}

const hex = (byte: number): string => byte.toString(16).padStart(2, "0");
const dataDirOf = (disk: string): string => join(disk, "skiff");

/** The instance that a Skiff on this disk is. */
export const instanceOf = (disk: string): string => layoutOf(dataDirOf(disk)).instance;
