import { closeSync, existsSync, mkdirSync, openSync, readFileSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { Backoff } from "../../base/backoff.ts";
import { hasEnded } from "../../base/child.ts";
import type { Clock } from "../../base/clock.ts";
import { readIfExists, removeIfExists, writeFileAtomic } from "../../base/files.ts";
import { logger } from "../../base/log.ts";
import { UsageError } from "../settings.ts";

const log = logger("etcd");
export const clientPort = 2379, peerPort = 2380;
const maxLogBytes = 4 << 20;
/** A member that ran so long has started well. */
const wellAfterMs = 60_000;
const stopMs = 10_000;

export interface MemberOptions {
  /** The server's node's name. */
  name: string;
  /** `<data-dir>/server/db/etcd`. */
  directory: string;
  /** `<data-dir>/server/tls/etcd`. */
  tlsDir: string;
  /** Where this server listens, and where others reach it. */
  localAddress: string;
  address: string;
  /** Bytes the database may grow to. */
  maxBytes: number;
  clock: Clock;
}

export const urlOf = (address: string, port: number): string => `https://${address.includes(":") ? `[${address}]` : address}:${port}`;

/** The etcd process beside a server. Pods don't need it: it ends with the server, and starts again when it ends by itself. */
export class EtcdMember {
  #child: ReturnType<typeof Bun.spawn> | undefined;
  #joins: string | undefined;
  #address: string;
  constructor(private readonly options: MemberOptions) {
    this.#address = options.address;
  }

  /** Whether it has been a member of a cluster. */
  get exists(): boolean {
    return existsSync(join(this.options.directory, "member"));
  }

  get clientUrl(): string {
    return urlOf(this.options.localAddress, clientPort);
  }

  get ended(): boolean {
    return hasEnded(this.#child!);
  }

  /** Throws a `UsageError` when there is no etcd on this machine. */
  mustBeInstalled(): void {
    if (!Bun.which("etcd")) throw new UsageError("etcd is not installed: install the package etcd-server (and stop the service that it starts: systemctl disable --now etcd), or keep the state in a file, without --cluster-init and --server");
  }

  /** Starts it: `initialCluster` (`name=url,…`) is the cluster that it joins, absent for one of its own; both matter at the first start alone. */
  async start({ initialCluster, reset = false }: { initialCluster?: string | undefined; reset?: boolean } = {}): Promise<void> {
    const { directory } = this.options;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    await this.#endLeftover();
    this.#joins = initialCluster;
    this.#spawn(reset ? ["--force-new-cluster"] : []);
  }

  /** Others reach this server elsewhere now: starts it again there, if `run` keeps it alive. The cluster has to be told. */
  move(address: string): void {
    this.#address = address;
    this.#joins = undefined;
    // Asked to end it would say goodbye, through connections from an address that is gone.
    this.#child?.kill("SIGKILL");
  }

  /** Keeps it alive until `signal` aborts, then ends it. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.options, backoff = new Backoff({ base: 500, max: 30_000 });
    const stopped = new Promise<"stop">((resolve) => (signal.aborted ? resolve("stop") : signal.addEventListener("abort", () => resolve("stop"), { once: true })));
    while (!signal.aborted) {
      const began = clock.monotonic();
      if ((await Promise.race([this.#child!.exited, stopped])) === "stop") break;
      if (clock.monotonic() - began > wellAfterMs) backoff.reset();
      log.warn("etcd ended, starting it again", { exitCode: this.#child!.exitCode, signal: this.#child!.signalCode, says: this.lastWords(), log: this.#logFile });
      await clock.sleep(backoff.next(), signal).catch(() => undefined);
      if (!signal.aborted) this.#spawn();
    }
    await this.stop();
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (!child) return;
    const waiting = new AbortController();
    child.kill("SIGTERM");
    await Promise.race([child.exited, this.options.clock.sleep(stopMs, waiting.signal).then(() => child.kill("SIGKILL"), () => undefined)]);
    waiting.abort();
    await child.exited;
    removeIfExists(this.#pidFile);
  }

  /** The last thing that went wrong, as its log tells it. */
  lastWords(): string {
    const lines = (readIfExists(this.#logFile) ?? "").trimEnd().split("\n").slice(-50);
    const line = lines.findLast((each) => /"level":"(fatal|panic|error)"/.test(each)) ?? lines.at(-1) ?? "";
    try {
      const { msg, error } = JSON.parse(line) as { msg?: string; error?: string };
      return [msg, error].filter(Boolean).join(": ");
    } catch {
      return line;
    }
  }

  get peerUrl(): string {
    return urlOf(this.#address, peerPort);
  }
  get #logFile(): string {
    return `${this.options.directory}.log`;
  }
  get #pidFile(): string {
    return `${this.options.directory}.pid`;
  }

  #spawn(more: readonly string[] = []): void {
    const { name, directory, tlsDir, localAddress, maxBytes } = this.options, address = this.#address;
    if (existsSync(this.#logFile) && statSync(this.#logFile).size > maxLogBytes) truncateSync(this.#logFile);
    const out = openSync(this.#logFile, "a", 0o600), tls = (file: string): string => join(tlsDir, file);
    const cluster = this.#joins ? [`--initial-cluster=${this.#joins}`, "--initial-cluster-state=existing"] : [`--initial-cluster=${name}=${this.peerUrl}`];
    const listen = [...new Set([localAddress, address])].map((each) => urlOf(each, clientPort)).join();
    try {
      this.#child = Bun.spawn(["etcd", `--name=${name}`, `--data-dir=${directory}`,
        `--listen-client-urls=${listen}`, `--advertise-client-urls=${urlOf(address, clientPort)}`, `--listen-peer-urls=${this.peerUrl}`, `--initial-advertise-peer-urls=${this.peerUrl}`,
        `--cert-file=${tls("server.crt")}`, `--key-file=${tls("server.key")}`, "--client-cert-auth", `--trusted-ca-file=${tls("server-ca.crt")}`,
        // A machine may have several addresses, and send from another than it is reached by.
        `--peer-cert-file=${tls("peer.crt")}`, `--peer-key-file=${tls("peer.key")}`, "--peer-client-cert-auth", `--peer-trusted-ca-file=${tls("peer-ca.crt")}`, "--experimental-peer-skip-client-san-verification",
        // Of history in memory and on disk: a small machine's share. History is compacted by the servers.
        "--snapshot-count=10000", "--max-snapshots=2", "--max-wals=2", `--quota-backend-bytes=${maxBytes}`,
        // Slow disks and busy boards answer late; an election that isn't needed costs more.
        "--heartbeat-interval=250", "--election-timeout=2500", "--pre-vote", "--logger=zap", "--log-level=warn", "--log-outputs=stderr", ...cluster, ...more],
      { stdin: "ignore", stdout: out, stderr: out, env: { ...process.env, ETCD_UNSUPPORTED_ARCH: process.arch === "x64" ? "amd64" : process.arch } });
    } finally {
      closeSync(out);
    }
    writeFileAtomic(this.#pidFile, String(this.#child.pid));
  }

  /** A server that was killed leaves its member behind. */
  async #endLeftover(): Promise<void> {
    const pid = Number(readIfExists(this.#pidFile));
    const runs = (): boolean => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes(`--data-dir=${this.options.directory}`);
      } catch {
        return false;
      }
    };
    for (let waited = 0; pid > 0 && runs(); waited += 50) {
      if (waited % stopMs === 0) process.kill(pid, waited === 0 ? "SIGTERM" : "SIGKILL");
      await this.options.clock.sleep(50);
    }
  }
}
