import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hostTarget } from "../../src/build/host-target.ts";
import { layoutOf } from "../../src/server/layout.ts";
import { eventually } from "./eventually.ts";
import { busyboxImage, busyboxReference } from "./images.ts";
import { type Kubectl, kubectlFor } from "./kubectl.ts";
import { removeLeftovers } from "./leftovers.ts";
import { createNodeNetwork, type NodeNetwork } from "./node-network.ts";
import { type Outcome, outcomeOf } from "./running.ts";

const root = join(import.meta.dir, "../..");

/** The executable for this machine, as `npm run build -- --host` leaves it. */
export function skiffExecutable(): string {
  const file = join(root, "dist", hostTarget);
  if (!existsSync(file)) throw new Error(`${file} is missing: build it with "bun src/build/build.ts --host"`);
  return file;
}

export interface TestSkiffOptions {
  /** Further flags of `skiff server`. */
  flags?: readonly string[];
  network?: NodeNetwork;
  /** The program, if it isn't the one that `skiffExecutable` names. */
  executable?: string;
}

/** The compiled executable, with a network, directories and ports of its own. Real containers run on it. */
export class TestSkiff {
  readonly directory = mkdtempSync(join(tmpdir(), "skiff-e2e-"));
  readonly network: NodeNetwork;
  readonly kubeconfig = join(this.directory, "admin.yaml");
  readonly layout = layoutOf(join(this.directory, "data"));
  readonly kubectl: Kubectl;
  readonly #ownNetwork: boolean;
  #child: ReturnType<typeof Bun.spawn> | undefined;
  #disposed = false;

  constructor(private readonly options: TestSkiffOptions = {}) {
    this.#ownNetwork = !options.network;
    this.network = options.network ?? createNodeNetwork();
    this.kubectl = kubectlFor({ wrap: this.network.inside, kubeconfig: this.kubeconfig, home: this.directory });
  }

  get pid(): number {
    return this.#child!.pid;
  }

  get logFile(): string {
    return join(this.directory, "skiff.log");
  }

  log(): string {
    return existsSync(this.logFile) ? readFileSync(this.logFile, "utf8") : "";
  }

  serverCommand(...flags: string[]): string[] {
    return [
      this.options.executable ?? skiffExecutable(), "server", "--config", this.#emptyConfig(), "--data-dir", this.layout.dataDir, "--write-kubeconfig", this.kubeconfig, "--pod-log-dir", join(this.directory, "pod-logs"),
      "--node-name", "node-1", ...(this.options.flags ?? []), ...flags,
    ];
  }

  /** Starts the server, without waiting for anything. */
  spawn(...flags: string[]): void {
    const log = openSync(this.logFile, "a");
    this.#child = Bun.spawn(this.network.inside(this.serverCommand(...flags)), { stdin: "ignore", stdout: log, stderr: log, env: process.env });
    closeSync(log);
  }

  /** Starts the server and waits until it answers. */
  async start({ node = true, flags = [] }: { node?: boolean; flags?: readonly string[] } = {}): Promise<this> {
    this.spawn(...flags);
    await this.untilApiReady();
    if (node) await this.untilNodeReady();
    return this;
  }

  async untilApiReady(timeoutMs = 60_000): Promise<void> {
    await this.#until("the API did not become ready", timeoutMs, () => this.kubectl("get", "--raw", "/readyz"));
  }

  async untilNodeReady(timeoutMs = 120_000): Promise<void> {
    await this.#until("the node did not become Ready", timeoutMs, async () => {
      const [node] = await this.kubectl.items("nodes");
      if (node?.status.conditions?.find(({ type }: { type: string }) => type === "Ready")?.status !== "True") throw new Error(`the node is not Ready: ${JSON.stringify(node?.status.conditions)}`);
    });
  }

  async #until(what: string, timeout: number, check: () => Promise<unknown>): Promise<void> {
    await eventually(async () => {
      const { exitCode } = this.#child!;
      if (exitCode === null) await check();
      return exitCode;
    }, { timeout, interval: 50 }).then((exitCode) => {
      if (exitCode !== null) throw new Error(`skiff ended with exit code ${exitCode}`);
    }).catch((error: unknown) => {
      throw new Error(`${what}: ${(error as Error).message}\n${this.log().split("\n").slice(-40).join("\n")}`, { cause: error });
    });
  }

  /** Puts an image archive where the node imports it, and waits until the node lists it. */
  async importImage(reference: string, archive: Uint8Array): Promise<void> {
    const directory = join(this.layout.agentDir, "images");
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, `${reference.replace(/[^a-z0-9]+/g, "-")}.tar`), archive);
    await this.#until(`the image ${reference} was not imported`, 60_000, async () => {
      const { stdout } = await outcomeOf(["ctr", "--address", join(this.layout.runDir, "containerd.sock"), "--namespace", "k8s.io", "images", "list", "--quiet"]);
      if (!stdout.split("\n").includes(reference)) throw new Error(`there are only ${stdout}`);
    });
  }

  /** Ends the server at once, as a crash does, and leaves everything else as it is. */
  async kill9(): Promise<void> {
    this.#child!.kill("SIGKILL");
    await this.#child!.exited;
  }

  /** Stops the server as the init system does. Pods keep running. Returns the exit code. */
  async stop(): Promise<number> {
    this.#child!.kill("SIGTERM");
    const code = await Promise.race([this.#child!.exited, Bun.sleep(60_000)]);
    if (code === undefined) throw new Error(`skiff did not stop within 60 s\n${this.log().split("\n").slice(-20).join("\n")}`);
    return code;
  }

  /** Runs another subcommand of the executable. */
  command(...args: string[]): Promise<Outcome> {
    return outcomeOf(this.network.inside([skiffExecutable(), ...args]));
  }

  /** The process id of the containerd that this server started. */
  containerdPid(): number {
    return Number(readFileSync(join(this.layout.runDir, "containerd.pid"), "utf8"));
  }

  #emptyConfig(): string {
    const file = join(this.directory, "config.yaml");
    if (!existsSync(file)) writeFileSync(file, "{}\n");
    return file;
  }

  /** Leaves nothing: process, pod, mount, cgroup, namespace or file. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    removeLeftovers(this.layout.instance, [this.directory, this.layout.runDir]);
    if (this.#ownNetwork) this.network.dispose();
    for (const directory of [this.directory, this.layout.runDir]) rmSync(directory, { recursive: true, force: true });
  }
}

/** A server whose node has busybox. The caller disposes of it; when the start fails nothing is left. */
export async function startWithBusybox(options: TestSkiffOptions = {}): Promise<TestSkiff> {
  const skiff = new TestSkiff(options);
  try {
    await skiff.start();
    await skiff.importImage(busyboxReference, await busyboxImage());
    return skiff;
  } catch (error) {
    skiff.dispose();
    throw error;
  }
}
