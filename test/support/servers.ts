import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commandLine } from "./command-line.ts";
import { freePorts } from "./etcd.ts";
import { eventually } from "./eventually.ts";
import { type Kubectl, kubectlFor } from "./kubectl.ts";
import { createNodeNetwork, type NodeNetwork } from "./node-network.ts";
import { type Outcome, outcomeOf, output } from "./running.ts";
import { skiffExecutable } from "./skiff.ts";

const networkAddress = (i: number): string => `192.168.73.${20 + i}`;

/** Several servers of one cluster, numbered from 0, without nodes; each on an address of its own of this machine, or in a network of theirs. */
export class TestServers implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), "skiff-servers-"));
  readonly #children = new Map<number, ReturnType<typeof Bun.spawn>>();

  private constructor(private readonly flags: readonly string[], private readonly port: number, private readonly network: NodeNetwork | undefined) {
    writeFileSync(join(this.directory, "config.yaml"), "{}\n");
  }

  static async create({ flags = [], ownNetwork = false }: { flags?: readonly string[]; ownNetwork?: boolean } = {}): Promise<TestServers> {
    const network = ownNetwork ? createNodeNetwork() : undefined;
    if (network) for (let i = 0; i < 4; i++) await output(network.inside(["ip", "address", "add", `${networkAddress(i)}/24`, "dev", "eth0"]));
    return new TestServers(flags, (await freePorts(1))[0]!, network);
  }

  dataDir(i: number): string {
    return join(this.directory, `data-${i}`);
  }

  /** In a network of their own the servers reach each other; on this machine their addresses are names alone. */
  address(i: number): string {
    return this.network ? networkAddress(i) : `192.0.2.${20 + i}`;
  }

  url(i: number): string {
    return `https://${this.#bound(i)}:${this.port}`;
  }

  token(i: number): string {
    return readFileSync(join(this.dataDir(i), "server/token"), "utf8").trim();
  }

  log(i: number): string {
    const file = join(this.directory, `server-${i}.log`);
    return existsSync(file) ? readFileSync(file, "utf8") : "";
  }

  kubectl(i: number): Kubectl {
    return kubectlFor({ wrap: this.#inside, kubeconfig: join(this.directory, `admin-${i}.yaml`), home: this.directory });
  }

  /** The flags by which one more server joins the first. */
  joining(): string[] {
    return ["--server", this.url(0), "--token", this.token(0)];
  }

  /** May be tried again: that the answer was lost doesn't mean that it was not written. */
  createConfigMap(i: number, name: string): Promise<string> {
    return this.kubectl(i).apply({ apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "default" }, data: { a: "1" } });
  }

  /** The names of those that the test has made, as server `i` tells them. */
  async configMaps(i: number): Promise<string[]> {
    return (await this.kubectl(i).items("configmaps")).map(({ metadata }) => metadata.name as string).filter((name) => name !== "kube-root-ca.crt");
  }

  /** Starts a server, and waits until it answers. */
  async start(i: number, ...flags: string[]): Promise<void> {
    const log = openSync(join(this.directory, `server-${i}.log`), "a");
    const child = Bun.spawn(this.command(i, ...flags), { stdin: "ignore", stdout: log, stderr: log, env: process.env });
    closeSync(log);
    this.#children.set(i, child);
    await eventually(async () => {
      if (child.exitCode !== null) return child.exitCode;
      await this.kubectl(i)("get", "--raw", "/readyz");
    }, { timeout: 120_000, interval: 100 }).then((code) => {
      if (code !== undefined) throw new Error(`exit code ${code}`);
    }).catch((error: unknown) => {
      throw new Error(`server ${i} did not start: ${(error as Error).message}\n${this.log(i).split("\n").slice(-30).join("\n")}`, { cause: error });
    });
  }

  command(i: number, ...flags: string[]): string[] {
    return this.#inside([
      skiffExecutable(), "server", "--config", join(this.directory, "config.yaml"), "--data-dir", this.dataDir(i), "--write-kubeconfig", join(this.directory, `admin-${i}.yaml`),
      "--bind-address", this.#bound(i), "--advertise-address", this.address(i), "--https-listen-port", String(this.port), "--node-name", `server-${i}`, "--disable-agent", ...this.flags, ...flags,
    ]);
  }

  /** Runs a server that is expected to end by itself. */
  outcome(i: number, ...flags: string[]): Promise<Outcome> {
    return outcomeOf(this.command(i, ...flags));
  }

  /** Runs another subcommand of the executable. */
  run(...args: string[]): Promise<Outcome> {
    return outcomeOf(this.#inside([skiffExecutable(), ...args]));
  }

  async signal(i: number, signal: "SIGKILL" | "SIGTERM" | "SIGSTOP" | "SIGCONT"): Promise<void> {
    const child = this.#children.get(i);
    child?.kill(signal);
    if (signal === "SIGKILL" || signal === "SIGTERM") await child?.exited;
  }

  /** As when a machine loses its power: the server and the etcd beside it. */
  async killMachine(i: number): Promise<void> {
    await this.signal(i, "SIGKILL");
    await this.#killMember(i);
  }

  /** The process id of the etcd beside a server; undefined when none has run. */
  memberPid(i: number): number | undefined {
    const file = join(this.dataDir(i), "server/db/etcd.pid");
    return existsSync(file) ? Number(readFileSync(file, "utf8")) : undefined;
  }

  /** Until it writes no more: its directory may be deleted then. */
  async #killMember(i: number): Promise<void> {
    const pid = this.memberPid(i), runs = (): boolean => commandLine(pid!).some((word) => word.includes(this.directory));
    if (!pid || !runs()) return;
    process.kill(pid, "SIGKILL");
    await eventually(() => {
      if (runs()) throw new Error(`etcd ${pid} does not end`);
    });
  }

  /** Since when a server leads, in milliseconds since 1970, as it has written down itself. */
  async leadsSince(i: number): Promise<number> {
    return Date.parse((await this.kubectl(i).get("lease", "-n", "kube-system", "skiff-controllers")).spec.acquireTime);
  }

  /** The number of the server that leads, as the Lease says to server `i`. */
  async leader(i: number): Promise<number> {
    const { spec } = await this.kubectl(i).get("lease", "-n", "kube-system", "skiff-controllers");
    const [, number] = /^server-(\d+)_/.exec(spec.holderIdentity) ?? [];
    if (number === undefined) throw new Error(`nobody leads: ${JSON.stringify(spec)}`);
    return Number(number);
  }

  /** Where nodes and pods are told to find servers. */
  async told(i: number): Promise<string[]> {
    const [slice] = await this.kubectl(i).items("endpointslices", "-n", "default", "-l", "kubernetes.io/service-name=kubernetes");
    return (slice.endpoints ?? []).flatMap(({ addresses }: { addresses: string[] }) => addresses);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#children.values()].map(async (child) => {
      child.kill("SIGKILL");
      await child.exited;
    }));
    await Promise.all([0, 1, 2, 3].map((i) => this.#killMember(i)));
    this.network?.dispose();
    rmSync(this.directory, { recursive: true, force: true });
  }

  #bound(i: number): string {
    return this.network ? this.address(i) : `127.0.73.${20 + i}`;
  }

  readonly #inside = (command: readonly string[]): string[] => this.network?.inside(command) ?? [...command];
}
