import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hasEnded } from "../../src/base/child.ts";
import type { Clock } from "../../src/base/clock.ts";
import type { Logger } from "../../src/base/log.ts";
import type { ProcessGroup } from "./host.ts";
import { statusSocket } from "./nginx-config.ts";

export interface NginxOptions {
  /** On a tmpfs: configuration, keys, sockets. */
  directory: string;
  group: ProcessGroup;
  clock: Clock;
  log: Logger;
}

const stopTimeoutMs = 5000, takeTimeoutMs = 10_000;
const mostSaid = 20;
const restartBackoff = { firstMs: 200, maxMs: 30_000 };

/**
 * Runs nginx as a child. A new configuration is tried first, then taken over without closing a connection; one that nginx refuses is thrown
 * as an error, and the old one stays in force. A Skiff that was killed leaves nginx at work; the next one replaces it.
 */
export class Nginx {
  #child: ReturnType<typeof Bun.spawn> | undefined;
  /** The child that is known to have answered. */
  #begun: ReturnType<typeof Bun.spawn> | undefined;
  #spawning: Promise<void> | undefined;
  /** What the nginx of now has complained of, the last of it. */
  #said: string[] = [];
  /** Of what the log tells already: one that can't start is started again and again. */
  #told = new Set<string>();
  #stopping = false;
  constructor(private readonly options: NginxOptions) {}

  /** Takes a configuration into use, with `generation` in it, and starts nginx with the first. Resolves when it is served. */
  async apply(config: string, generation: number, signal: AbortSignal): Promise<void> {
    const { directory } = this.options;
    for (const name of ["", "certificates", "temp"]) mkdirSync(join(directory, name), { recursive: true, mode: 0o711 });
    writeFileSync(this.#file("candidate.conf"), config, { mode: 0o600 });
    await this.#test();
    writeFileSync(this.#file("nginx.conf"), config, { mode: 0o600 });
    if (!this.#child || hasEnded(this.#child)) {
      await this.#spawn();
    } else {
      // One that has only begun would end by the signal.
      if (this.#begun !== this.#child) await this.#untilAnswered(() => true, signal);
      this.#child.kill("SIGHUP");
    }
    if (!await this.#untilAnswered((served) => served === generation, signal)) throw new Error(`nginx did not take the configuration into use: ${this.#said[0] ?? "it said nothing"}`);
    // Only root speaks to it.
    chmodSync(statusSocket(directory), 0o600);
    this.#told.clear();
  }

  /** Keeps nginx alive once it has been started, until `signal` aborts, then ends it when its requests have. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.options;
    let backoffMs = restartBackoff.firstMs;
    const stop = new Promise<"stop">((resolve) => (signal.aborted ? resolve("stop") : signal.addEventListener("abort", () => resolve("stop"), { once: true })));
    while (!signal.aborted) {
      const child = this.#child ?? await Promise.race([this.#started.promise, stop]);
      if (child === "stop") break;
      const startedAt = clock.monotonic();
      if (await Promise.race([child.exited, stop]) === "stop") break;
      if (clock.monotonic() - startedAt > restartBackoff.maxMs) {
        backoffMs = restartBackoff.firstMs;
        this.#told.clear();
      }
      this.#tell("nginx ended, starting it again", { exitCode: child.exitCode, signal: child.signalCode });
      await clock.sleep(backoffMs, signal).catch(() => undefined);
      backoffMs = Math.min(backoffMs * 2, restartBackoff.maxMs);
      if (!signal.aborted && this.#child === child) await this.#spawn();
    }
    this.#stopping = true;
    await this.#end();
  }

  readonly #started = Promise.withResolvers<ReturnType<typeof Bun.spawn>>();

  #file(name: string): string {
    return join(this.options.directory, name);
  }

  /** One at a time: a new configuration may come just when nginx has ended. */
  #spawn(): Promise<void> {
    return this.#spawning ??= this.#spawnOne().finally(() => {
      this.#spawning = undefined;
    });
  }

  async #spawnOne(): Promise<void> {
    await this.#stopLeftovers();
    if (this.#stopping) return;
    const { directory, group } = this.options;
    rmSync(statusSocket(directory), { force: true });
    this.#said = [];
    const child = Bun.spawn(group.entered(["nginx", "-e", "stderr", "-p", directory, "-c", this.#file("nginx.conf")]), { stdin: "ignore", stdout: "ignore", stderr: "pipe", detached: true });
    this.#child = child;
    void this.#listen(child.stderr);
    this.#started.resolve(child);
  }

  async #listen(stderr: ReadableStream<Uint8Array>): Promise<void> {
    const said = this.#said, decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of stderr) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop()!;
      // A client that goes away and a pod that refuses are everyday; what is left concerns nginx itself.
      for (const problem of lines.flatMap(problemIn)) {
        if (said.includes(problem)) continue;
        said.push(problem);
        if (said.length > mostSaid) said.shift();
        this.#tell("nginx has a problem", { problem });
      }
    }
  }

  #tell(message: string, fields: Record<string, unknown>): void {
    const text = JSON.stringify([message, fields]);
    if (this.#told.has(text)) return;
    this.#told.add(text);
    this.options.log.warn(message, fields);
  }

  async #test(): Promise<void> {
    const { directory } = this.options;
    const child = Bun.spawn(["nginx", "-e", "stderr", "-p", directory, "-t", "-c", this.#file("candidate.conf")], { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
    const said = await new Response(child.stderr).text();
    if (await child.exited !== 0) throw new Error(`nginx refuses the configuration: ${said.split("\n").flatMap(problemIn)[0] ?? said.trim()}`);
  }

  /** Whether nginx answers with a generation that is wanted, before it ends or takes too long. */
  async #untilAnswered(isWanted: (generation: number) => boolean, signal: AbortSignal): Promise<boolean> {
    const { clock, directory } = this.options;
    const deadline = clock.monotonic() + takeTimeoutMs;
    while (clock.monotonic() < deadline) {
      signal.throwIfAborted();
      const child = this.#child!;
      if (hasEnded(child)) return false;
      const served = await servedGeneration(directory);
      if (served !== undefined) {
        this.#begun = child;
        if (isWanted(served)) return true;
      }
      await clock.sleep(20, signal);
    }
    return false;
  }

  /** Of a Skiff that was killed; or workers whose master was, which hold its ports. */
  async #stopLeftovers(): Promise<void> {
    const { clock, group } = this.options;
    for (const pid of group.pids()) trySignal(pid, "SIGTERM");
    for (const deadline = clock.monotonic() + stopTimeoutMs; group.pids().length > 0; await clock.sleep(20)) if (clock.monotonic() > deadline) for (const pid of group.pids()) trySignal(pid, "SIGKILL");
  }

  async #end(): Promise<void> {
    const child = this.#child;
    if (!child || hasEnded(child)) return;
    child.kill("SIGQUIT");
    const timer = setTimeout(() => child.kill("SIGTERM"), stopTimeoutMs);
    await child.exited;
    clearTimeout(timer);
  }
}

/** What a line of nginx's says is wrong with nginx itself, for who has to mend it. */
export function problemIn(line: string): string[] {
  const problem = /\[(?:emerg|alert|crit)\] (?:\d+#\d+: )?(?:\*\d+ )?(.*)/.exec(line)?.[1];
  if (!problem) return [];
  const port = /^bind\(\) to .*:(\d+) failed \(98:/.exec(problem)?.[1];
  return [port ? `port ${port} is taken by another program: stop that, or leave Ingresses to it with --disable ingress` : problem];
}

/** What the status socket says; undefined when nobody answers there. */
async function servedGeneration(directory: string): Promise<number | undefined> {
  try {
    const response = await fetch("http://nginx/", { unix: statusSocket(directory), keepalive: false, signal: AbortSignal.timeout(1000) });
    return Number(await response.text());
  } catch {
    return undefined;
  }
}

function trySignal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended in the meantime.
  }
}
