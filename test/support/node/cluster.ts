import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../eventually.ts";
import { busyboxImage, busyboxReference } from "../images.ts";
import { type Kubectl, type KubeJson, kubectlFor } from "../kubectl.ts";
import { skiffExecutable } from "../skiff.ts";
import { createFabric, type Fabric } from "./fabric.ts";
import type { NodeProgram, TestNode, TestNodeOptions } from "./test-node.ts";

/**
 * The compiled executable on machines of a fabric: `skiff server` on the node `server`, `skiff agent` on `agent-1`, `agent-2`, ..., all
 * Ready and with busybox imported.
 *
 *     await using cluster = await startCluster({ agents: 2 });
 *     await cluster.kubectl("get", "nodes");
 *     const agent = cluster.member("agent-1");
 *     agent.node.unplug();                                    // whatever TestNode has
 *     await agent.node.powerCut(); await agent.boot();        // power back, Skiff started again
 *     await agent.kill9(); agent.start();                     // Skiff alone
 *     await cluster.untilReady("agent-1"); agent.log();
 *
 * What it throws while waiting ends with the last lines of each member's log.
 */
export interface TestCluster extends AsyncDisposable {
  readonly fabric: Fabric;
  /** From the server, as administrator. Works while the server's power is on. */
  readonly kubectl: Kubectl;
  readonly server: ClusterMember;
  /** All of them, that one first. */
  readonly servers: readonly ClusterMember[];
  readonly agents: readonly ClusterMember[];
  member(name: string): ClusterMember;
  /** From one of several servers, as that one answers. */
  kubectlOf(server: ClusterMember): Kubectl;
  /** One more server, `server-2`, `server-3`, ..., that joins the first, which has to run with `--cluster-init`; not waited for. */
  addServer(options?: AgentMemberOptions): Promise<ClusterMember>;
  /** One more `skiff agent`, not waited for. It joins at the first server, or `at` another. */
  addAgent(options?: AgentMemberOptions & { at?: ClusterMember }): Promise<ClusterMember>;
  untilApiReady(timeoutMs?: number): Promise<void>;
  /** Waits until these nodes are Ready; all members when none is named. */
  untilReady(...names: string[]): Promise<void>;
  /** The last lines of each member's log. */
  logs(lines?: number): string;
  dispose(): Promise<void>;
}

export interface AgentMemberOptions {
  name?: string;
  machine?: TestNodeOptions;
  flags?: readonly string[];
}

export interface TestClusterOptions {
  /** How many agents, or what each is like. */
  agents?: number | readonly AgentMemberOptions[];
  server?: { machine?: TestNodeOptions; flags?: readonly string[] };
  /** A fabric of the caller's, which stays when the cluster goes. */
  fabric?: Fabric;
}

const secret = "a-secret-of-the-tests";

export async function startCluster({ agents = 0, server = {}, fabric: given }: TestClusterOptions = {}): Promise<TestCluster> {
  const fabric = given ?? await createFabric();
  try {
    const archive = await busyboxImage();
    const node = await fabric.node("server", server.machine);
    const first = new ClusterMember(node, archive, (own) => ["server", ...commonFlags(own), "--write-kubeconfig", kubeconfigOf(own), "--token", secret, ...(server.flags ?? [])]);
    const cluster = new FabricCluster(fabric, !given, first, archive);
    first.start();
    await cluster.untilApiReady();
    for (const options of typeof agents === "number" ? Array.from({ length: agents }, () => ({})) : agents) await cluster.addAgent(options);
    await cluster.untilReady();
    for (const member of cluster.members) await member.untilImported(busyboxReference);
    return cluster;
  } catch (error) {
    if (!given) await fabric.dispose();
    throw error;
  }
}

const kubeconfigOf = (node: TestNode): string => join(node.disk, "admin.yaml");

/** As an administrator wrote it down once: the server may be off when who joins starts again. */
function joiningAt({ node: { ip, layout } }: ClusterMember): string[] {
  return ["--server", `https://${ip.includes(":") ? `[${ip}]` : ip}:6443`, "--token", readFileSync(join(layout.dataDir, "server/token"), "utf8").trim()];
}

function commonFlags(node: TestNode): string[] {
  const config = join(node.disk, "config.yaml");
  if (!existsSync(config)) writeFileSync(config, "{}\n");
  return ["--config", config, "--data-dir", node.layout.dataDir];
}

/** A machine with Skiff on it. */
export class ClusterMember {
  readonly logFile: string;
  /** Variables that Skiff is started with, besides this process's. */
  environment: Record<string, string> = {};
  #program: NodeProgram | undefined;
  constructor(readonly node: TestNode, archive: Uint8Array, private readonly parameters: (node: TestNode) => string[]) {
    this.logFile = join(node.disk, "skiff.log");
    const images = join(node.layout.agentDir, "images");
    mkdirSync(images, { recursive: true });
    writeFileSync(join(images, "busybox.tar"), archive);
  }

  get name(): string {
    return this.node.name;
  }
  get pid(): number {
    return this.#program!.pid;
  }
  get exitCode(): number | null {
    return this.#program?.exitCode ?? null;
  }

  /** Starts Skiff, without waiting for anything. */
  start(...flags: string[]): void {
    closeSync(openSync(this.logFile, "a"));
    this.#program = this.node.spawn([skiffExecutable(), ...this.parameters(this.node), ...flags], { logFile: this.logFile, env: this.environment });
  }

  /** Switches the machine on and starts Skiff, as its init system would. */
  async boot(...flags: string[]): Promise<void> {
    await this.node.boot();
    this.start(...flags);
  }

  /** Ends Skiff as a crash does; all else on the machine goes on. */
  async kill9(): Promise<void> {
    this.#program!.kill("SIGKILL");
    await this.#program!.exited;
  }

  /** Stops Skiff as the init system does. Returns the exit code. */
  async stop(): Promise<number> {
    this.#program!.kill("SIGTERM");
    const code = await Promise.race([this.#program!.exited, Bun.sleep(60_000)]);
    if (code === undefined) throw new Error(`skiff on ${this.name} did not stop within 60 s\n${this.log(20)}`);
    return code;
  }

  /** What Skiff has written, or the last lines of it. */
  log(lines = Infinity): string {
    return readFileSync(this.logFile, "utf8").split("\n").slice(lines === Infinity ? 0 : -lines).join("\n");
  }

  async untilImported(reference: string): Promise<void> {
    await eventually(async () => {
      const { stdout } = await this.node.exec(["ctr", "--address", join(this.node.layout.runDir, "containerd.sock"), "--namespace", "k8s.io", "images", "list", "--quiet"]);
      if (!stdout.split("\n").includes(reference)) throw new Error(`${this.name} has not imported ${reference} but has ${stdout}\n${this.log(40)}`);
    }, { timeout: 90_000, interval: 50 });
  }
}

class FabricCluster implements TestCluster {
  readonly servers: ClusterMember[];
  readonly agents: ClusterMember[] = [];
  readonly kubectl: Kubectl;
  constructor(readonly fabric: Fabric, private readonly ownsFabric: boolean, readonly server: ClusterMember, private readonly archive: Uint8Array) {
    this.servers = [server];
    this.kubectl = this.kubectlOf(server);
  }

  get members(): readonly ClusterMember[] {
    return [...this.servers, ...this.agents];
  }

  member(name: string): ClusterMember {
    const found = this.members.find((member) => member.name === name);
    if (!found) throw new Error(`there is no ${name}, only ${this.members.map((member) => member.name).join(", ")}`);
    return found;
  }

  kubectlOf({ node }: ClusterMember): Kubectl {
    return kubectlFor({ wrap: node.insideNetwork, kubeconfig: kubeconfigOf(node), home: node.disk });
  }

  async addServer({ name = `server-${this.servers.length + 1}`, machine, flags = [] }: AgentMemberOptions = {}): Promise<ClusterMember> {
    const node = await this.fabric.node(name, machine), joining = joiningAt(this.server);
    const member = new ClusterMember(node, this.archive, (own) => ["server", ...commonFlags(own), "--write-kubeconfig", kubeconfigOf(own), ...joining, ...flags]);
    this.servers.push(member);
    member.start();
    return member;
  }

  async addAgent({ name = `agent-${this.agents.length + 1}`, machine, flags = [], at = this.server }: AgentMemberOptions & { at?: ClusterMember } = {}): Promise<ClusterMember> {
    const node = await this.fabric.node(name, machine), joining = joiningAt(at);
    const member = new ClusterMember(node, this.archive, (own) => ["agent", ...commonFlags(own), ...joining, ...flags]);
    this.agents.push(member);
    member.start();
    return member;
  }

  async untilApiReady(timeoutMs = 60_000): Promise<void> {
    await this.#until("the API did not become ready", timeoutMs, () => this.kubectl("get", "--raw", "/readyz"));
  }

  async untilReady(...names: string[]): Promise<void> {
    const wanted = names.length ? names : this.members.map(({ name }) => name);
    await this.#until(`${wanted.join(", ")} did not become Ready`, 120_000, async () => {
      const nodes = await this.kubectl.items("nodes");
      for (const name of wanted) {
        const node = nodes.find((one) => one.metadata.name === name);
        const isReady = node?.status.conditions?.some(({ type, status }: KubeJson) => type === "Ready" && status === "True");
        if (!isReady) throw new Error(`${name}: ${node ? JSON.stringify(node.status.conditions) : "not registered"}`);
      }
    });
  }

  logs(lines = 30): string {
    return this.members.map((member) => `--- ${member.name}\n${member.log(lines)}`).join("\n");
  }

  async dispose(): Promise<void> {
    if (this.ownsFabric) await this.fabric.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  async #until(what: string, timeout: number, check: () => Promise<unknown>): Promise<void> {
    // One that has ended will not come: nothing more is waited for.
    await eventually(async () => {
      const ended = this.members.find(({ exitCode, node }) => node.isOn && exitCode !== null);
      if (ended) return `skiff on ${ended.name} ended with exit code ${ended.exitCode}`;
      await check();
      return undefined;
    }, { timeout, interval: 100 }).then((failure) => {
      if (failure) throw new Error(failure);
    }).catch((error: unknown) => {
      throw new Error(`${what}: ${(error as Error).message}\n${this.logs()}`, { cause: error });
    });
  }
}
