import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ApiConnection, credentialsOf, type Credentials } from "../bench/api-connection.ts";
import { eventually } from "../support/eventually.ts";

const root = join(import.meta.dir, "../..");
/** The program from its source: what tests use that don't wait for a build. */
export const fromSource: readonly string[] = [process.execPath, join(root, "src/main.ts")];

/** `skiff server --disable-agent` with its data on some disk; started, killed and started again. */
export class CrashServer {
  readonly #directory = mkdtempSync(join(tmpdir(), "skiff-crash-"));
  readonly #kubeconfig = join(this.#directory, "admin.yaml");
  readonly #logFile = join(this.#directory, "skiff.log");
  #child: Bun.Subprocess | undefined;
  #port = 0;

  /** `samePort`: it starts again at the port of its first start, as servers do; else the cluster has to be told of another one. */
  constructor(private readonly options: { command: readonly string[]; dataDir: string; samePort?: boolean }) {}

  /** Starts it, without waiting for anything. */
  spawn(): void {
    rmSync(this.#kubeconfig, { force: true });
    const log = openSync(this.#logFile, "a");
    const { command, dataDir } = this.options;
    // It goes with whoever started it, and so does the disk under it.
    this.#child = Bun.spawn(["setpriv", "--pdeathsig", "KILL", ...command, "server", "--config", "/dev/null", "--disable-agent", "--data-dir", dataDir, "--write-kubeconfig", this.#kubeconfig, "--https-listen-port", String(this.#port), "--bind-address", "127.0.0.1"], { stdin: "ignore", stdout: log, stderr: log, env: process.env });
    closeSync(log);
  }

  /** Resolves when it answers. Throws with the end of its log when it doesn't. */
  async ready(): Promise<Credentials> {
    const child = this.#child!;
    try {
      return await eventually(async () => {
        if (child.exitCode !== null) return undefined;
        if (!existsSync(this.#kubeconfig)) throw new Error("it has written no kubeconfig");
        const credentials = credentialsOf(this.#kubeconfig), connection = await ApiConnection.open(credentials);
        const { status } = await connection.request("GET", "/readyz").finally(() => connection.close());
        if (status !== 200) throw new Error(`/readyz answers ${status}`);
        return credentials;
      }, { timeout: 120_000, interval: 50 }).then((credentials) => {
        if (!credentials) throw new Error(`it ended with exit code ${child.exitCode}`);
        if (this.options.samePort) this.#port = credentials.port;
        return credentials;
      });
    } catch (error) {
      throw new Error(`the server did not start: ${(error as Error).message}\n${this.log(30)}`, { cause: error });
    }
  }

  async start(): Promise<Credentials> {
    this.spawn();
    return this.ready();
  }

  get pid(): number {
    return this.#child!.pid;
  }

  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#child?.exited;
  }

  /** As the init system does; killed when it takes longer than a minute. Returns the exit code. */
  async stop(): Promise<number> {
    const child = this.#child!, timer = setTimeout(() => child.kill("SIGKILL"), 60_000);
    child.kill("SIGTERM");
    const code = await child.exited;
    clearTimeout(timer);
    return code;
  }

  /** The last lines it has written. */
  log(lines: number): string {
    return existsSync(this.#logFile) ? readFileSync(this.#logFile, "utf8").trimEnd().split("\n").slice(-lines).join("\n") : "";
  }

  async dispose(): Promise<void> {
    await this.kill();
    rmSync(this.#directory, { recursive: true });
  }
}
