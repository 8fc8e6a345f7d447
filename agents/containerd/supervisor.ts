import { chmodSync, closeSync, existsSync, mkdirSync, openSync, readFileSync, statSync, truncateSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { hasEnded } from "../../src/base/child.ts";
import type { Clock } from "../../src/base/clock.ts";
import { ensureFile } from "../../src/base/files.ts";
import type { Logger } from "../../src/base/log.ts";
import { proxyVariables } from "../../src/base/proxy/environment.ts";
import { connectRuntime } from "../cri/containerd.ts";
import type { ContainerRuntime } from "../cri/cri.ts";
import { lostShims, readProcesses } from "./lost-shims.ts";
import { containerdConfig, hostFeatures, type ContainerdPaths } from "./config.ts";
import { RegistryFiles } from "./registry-files.ts";
import { installedRuntimes } from "./runtimes.ts";

export interface ContainerdOptions {
  /** `<data-dir>/agent/containerd`: configuration and log. */
  directory: string;
  paths: ContainerdPaths;
  /** `registries.yaml`. Default: one in `directory`. */
  registries?: string;
  clock: Clock;
  log: Logger;
}

const maxLogBytes = 5 * 1024 * 1024;
const startTimeoutMs = 60_000;
const stopTimeoutMs = 10_000;
/** Lost shims are looked for so long after a start, and once more so long after that: pods that went since may have left some. */
const lostShimsAfterMs = [60_000, 14 * 60_000];
const restartBackoff = { firstMs: 200, maxMs: 10_000 };

/**
 * Runs containerd as a child with its own root, state and socket, and starts it again whenever it ends.
 * Its shims, and so the pods, outlive it: stopping or killing it leaves every container running.
 * A containerd left over by a Skiff that was killed is replaced, so that the configuration is always the current one.
 */
export class Containerd {
  readonly runtime: ContainerRuntime;
  readonly socket: string;
  readonly #registries: RegistryFiles;
  #child: ReturnType<typeof Bun.spawn> | undefined;
  /** It is to end, because its configuration is another: to be called when the next one has been started. */
  #renewed: (() => void) | undefined;
  constructor(private readonly options: ContainerdOptions) {
    this.socket = options.paths.socket;
    const { directory, registries = join(directory, "registries.yaml"), clock, log } = options;
    this.#registries = new RegistryFiles({ source: registries, directory: join(directory, "certs.d"), clock, log });
    this.runtime = connectRuntime({ socket: this.socket, log: options.log });
  }

  /** Starts containerd and resolves when its CRI service answers. Throws a sentence with the end of its log when it does not. */
  async start(signal: AbortSignal): Promise<void> {
    const { directory, paths } = this.options;
    for (const dir of [directory, paths.root, paths.state, paths.cniConfDir]) mkdirSync(dir, { recursive: true, mode: 0o711 });
    this.#registries.apply();
    this.#writeConfig();
    await this.#stopLeftover();
    this.#spawn();
    await this.#untilReady(signal);
  }

  /** Keeps containerd alive until `signal` aborts, then ends it. Calls back when the registries' file has changed: what couldn't be pulled may be there now. */
  async run(signal: AbortSignal, onRegistriesChanged: () => void = () => undefined): Promise<void> {
    const { clock, log } = this.options;
    const following = this.#registries.follow(async (othersAuths) => {
      if (othersAuths) await this.#renew(signal);
      onRegistriesChanged();
    }, signal);
    let backoffMs = restartBackoff.firstMs;
    while (!signal.aborted) {
      const startedAt = clock.monotonic(), ended = new AbortController(), tidying = this.#tidy(AbortSignal.any([signal, ended.signal]));
      const stop = new Promise<"stop">((resolve) => signal.addEventListener("abort", () => resolve("stop"), { once: true }));
      const first = await Promise.race([this.#child!.exited, stop]);
      ended.abort();
      await tidying;
      if (first === "stop") break;
      if (this.#renewed) {
        this.#spawn();
        this.#renewed();
        continue;
      }
      log.warn("containerd ended, starting it again", { exitCode: this.#child!.exitCode, log: this.#logFile });
      if (clock.monotonic() - startedAt > restartBackoff.maxMs) backoffMs = restartBackoff.firstMs;
      await clock.sleep(backoffMs, signal).catch(() => undefined);
      backoffMs = Math.min(backoffMs * 2, restartBackoff.maxMs);
      if (!signal.aborted) this.#spawn();
    }
    this.#renewed?.();
    await following;
    this.runtime.close();
    await this.#end(this.#child!.pid);
    unlinkSync(this.#pidFile);
  }

  /** Ends shims that containerd has left behind when it ended, or its client did. Throws when containerd doesn't answer. */
  async endLostShims(): Promise<void> {
    const { items = [] } = await this.runtime.runtime.listPodSandbox({});
    const lost = lostShims(readProcesses(), { containerd: this.#child!.pid, socket: this.socket, sandboxes: new Set(items.map(({ id }) => id!)) });
    for (const pid of lost) trySignal(pid, "SIGKILL");
    if (lost.length > 0) this.options.log.info("Shims that looked after nothing have been ended", { pids: lost });
  }

  /** For as long as one containerd runs. */
  async #tidy(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.options;
    for (const ms of lostShimsAfterMs) {
      await clock.sleep(ms, signal).then(() => this.endLostShims()).catch((error: unknown) => signal.aborted || log.warn("Lost shims could not be looked for", { error }));
    }
  }

  get #configFile(): string {
    return join(this.options.directory, "config.toml");
  }
  get #logFile(): string {
    return join(this.options.directory, "containerd.log");
  }
  /** Beside the socket, where a full disk doesn't matter; no containerd outlives a reboot. */
  get #pidFile(): string {
    return join(dirname(this.socket), "containerd.pid");
  }

  #writeConfig(): void {
    const extra = join(this.options.directory, "extra.toml");
    const more = existsSync(extra) ? readFileSync(extra, "utf8") : "";
    const config = containerdConfig(this.options.paths, hostFeatures(), { runtimes: installedRuntimes(), registries: this.#registries, more });
    ensureFile(this.#configFile, config);
  }

  /** Credentials are part of the configuration, which containerd reads when it starts. Containers don't notice. */
  async #renew(signal: AbortSignal): Promise<void> {
    const { log } = this.options;
    log.info("containerd starts again with other credentials of registries");
    this.#writeConfig();
    const renewed = new Promise<void>((resolve) => { this.#renewed = resolve; });
    await this.#end(this.#child!.pid);
    await renewed;
    this.#renewed = undefined;
    await this.#untilReady(signal).catch((error: unknown) => signal.aborted || log.error("containerd doesn't answer with its new configuration", { error }));
  }

  #spawn(): void {
    if (existsSync(this.#logFile) && statSync(this.#logFile).size > maxLogBytes) truncateSync(this.#logFile);
    const out = openSync(this.#logFile, "a", 0o600);
    chmodSync(this.#logFile, 0o600);
    try {
      this.#child = Bun.spawn(["containerd", "--config", this.#configFile, "--log-level", "warn"], { env: { ...process.env, ...proxyVariables() }, stdin: "ignore", stdout: out, stderr: out, detached: true });
    } catch (error) {
      throw new Error("containerd could not be started: install the containerd package, or name another runtime with --container-runtime-endpoint", { cause: error });
    } finally {
      closeSync(out);
    }
    writeFileSync(this.#pidFile, String(this.#child.pid));
  }

  async #untilReady(signal: AbortSignal): Promise<void> {
    const { clock } = this.options;
    const deadline = clock.monotonic() + startTimeoutMs;
    let last: unknown;
    while (clock.monotonic() < deadline) {
      signal.throwIfAborted();
      if (hasEnded(this.#child!)) break;
      try {
        await this.runtime.runtime.version({}, { timeoutMs: 2000, signal });
        return;
      } catch (error) {
        last = error;
        await clock.sleep(25, signal);
      }
    }
    throw new Error(`containerd did not become ready; the end of ${this.#logFile} says: ${this.#logTail()}`, { cause: last });
  }

  #logTail(): string {
    const text = existsSync(this.#logFile) ? readFileSync(this.#logFile, "utf8").trimEnd() : "";
    return text.split("\n").slice(-3).join(" | ") || "nothing";
  }

  async #stopLeftover(): Promise<void> {
    if (!existsSync(this.#pidFile)) return;
    const pid = Number(readFileSync(this.#pidFile, "utf8"));
    if (this.#isOurs(pid)) await this.#end(pid);
  }

  /** Process ids are reused: only a process that runs with our configuration file is ours. */
  #isOurs(pid: number): boolean {
    if (!Number.isInteger(pid) || pid <= 1) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes(this.#configFile);
    } catch {
      return false;
    }
  }

  async #end(pid: number): Promise<void> {
    const { clock } = this.options;
    if (this.#isOurs(pid)) trySignal(pid, "SIGTERM");
    const killAt = clock.monotonic() + stopTimeoutMs;
    for (let killed = false; this.#isOurs(pid); await clock.sleep(20)) {
      if (killed || clock.monotonic() < killAt) continue;
      trySignal(pid, "SIGKILL");
      killed = true;
    }
  }
}

function trySignal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended in the meantime.
  }
}
