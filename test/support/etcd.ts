import { randomInt } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";
import type { GrpcTls } from "../../src/base/grpc/connect.ts";
import { systemClock } from "../../src/base/clock.ts";
import { parseEndpoints } from "../../src/storage/etcd/endpoints.ts";
import { EtcdClient, type EtcdClientOptions } from "../../src/storage/etcd/etcd-client.ts";
import { everything } from "../../src/storage/etcd/messages.ts";
import { StorageError } from "../../src/storage/storage.ts";
import { createCa, createLeaf, type KeyPair } from "../../src/server/pki/certificate.ts";

const nextYear = new Date(Date.now() + 365 * 86_400_000);

export interface EtcdOptions {
  members?: number;
  /** Clients and members must show certificates. */
  tls?: boolean;
  /** What the members' certificate is for; default this machine. */
  names?: readonly string[];
  /** More of etcd's own flags. */
  flags?: readonly string[];
  /** Where its directory is made; default the one for temporary files. */
  under?: string;
}

interface Member {
  name: string;
  clientUrl: string;
  peerUrl: string;
  /** Plain HTTP, for /health. */
  metricsUrl: string;
  process: Subprocess | undefined;
}

/** A cluster of Debian's etcd, in a temporary directory; `members` can be killed and started again. */
export class TestEtcd implements AsyncDisposable {
  readonly #directory: string;
  readonly #members: Member[];
  readonly #flags: readonly string[];
  private constructor(directory: string, members: Member[], flags: readonly string[], readonly tls: GrpcTls | undefined) {
    this.#directory = directory;
    this.#members = members;
    this.#flags = flags;
  }

  static async start({ members: count = 1, tls = false, names = ["127.0.0.1", "localhost"], flags = [], under = tmpdir() }: EtcdOptions = {}): Promise<TestEtcd> {
    const directory = mkdtempSync(join(under, "skiff-etcd-"));
    const ports = await freePorts(count * 3), scheme = tls ? "https" : "http";
    const members = Array.from({ length: count }, (_, i): Member => ({
      name: `m${i}`, clientUrl: `${scheme}://127.0.0.1:${ports[3 * i]}`, peerUrl: `http://127.0.0.1:${ports[3 * i + 1]}`, metricsUrl: `http://127.0.0.1:${ports[3 * i + 2]}`, process: undefined,
    }));
    const etcd = new TestEtcd(directory, members, [...flags, ...(tls ? [`--cert-file=${directory}/server.crt`, `--key-file=${directory}/server.key`, "--client-cert-auth", `--trusted-ca-file=${directory}/ca.crt`] : [])], tls ? await writeCertificates(directory, names) : undefined);
    for (const index of members.keys()) etcd.startMember(index);
    try {
      await Promise.all(members.map((_, index) => etcd.ready(index)));
    } catch (error) {
      await etcd[Symbol.asyncDispose]();
      throw error;
    }
    return etcd;
  }

  /** Where the certificates and the log files are. */
  get directory(): string {
    return this.#directory;
  }

  get urls(): string[] {
    return this.#members.map(({ clientUrl }) => clientUrl);
  }

  /** What `EtcdStorage.open` and `EtcdClient` want. */
  get clientOptions(): EtcdClientOptions {
    return { endpoints: parseEndpoints(this.urls.join()), clock: systemClock, ...(this.tls ? { tls: this.tls } : {}) };
  }

  /** Deletes all keys, and their history. */
  async wipe(): Promise<void> {
    const client = new EtcdClient(this.clientOptions);
    try {
      const { header } = await client.call("Txn", { success: [{ requestDeleteRange: everything }] }, { repeatable: true });
      await client.call("Compact", { revision: header!.revision! }, { repeatable: true }).catch((error: unknown) => {
        // Where nothing was deleted since the last time, all has been compacted.
        if (!(error instanceof StorageError) || error.code !== "compacted") throw error;
      });
    } finally {
      client.close();
    }
  }

  startMember(index: number): void {
    const { name, clientUrl, peerUrl, metricsUrl } = this.#members[index]!;
    this.#members[index]!.process = Bun.spawn(["/usr/bin/etcd", `--name=${name}`, `--data-dir=${this.#directory}/${name}`, "--log-outputs=stderr", "--logger=zap",
      `--listen-client-urls=${clientUrl}`, `--advertise-client-urls=${clientUrl}`, `--listen-peer-urls=${peerUrl}`, `--initial-advertise-peer-urls=${peerUrl}`,
      `--initial-cluster=${this.#members.map((member) => `${member.name}=${member.peerUrl}`).join()}`, `--listen-metrics-urls=${metricsUrl}`,
      "--heartbeat-interval=50", "--election-timeout=500", ...this.#flags],
    { stdout: "ignore", stderr: Bun.file(join(this.#directory, `${name}.log`)), env: { ...process.env, ETCD_UNSUPPORTED_ARCH: process.arch } });
  }

  /** Resolves when the member serves, as part of a cluster that has a leader. */
  async ready(index: number): Promise<void> {
    const until = performance.now() + 60_000, url = `${this.#members[index]!.metricsUrl}/health`;
    for (;;) {
      const answer = await fetch(url).then((response) => response.json() as Promise<{ health: string }>, () => undefined);
      if (answer?.health === "true") return;
      if (performance.now() > until) throw new Error(`etcd member ${index} does not get ready: ${await Bun.file(join(this.#directory, `m${index}.log`)).text().catch(() => "it has no log")}`);
      await Bun.sleep(50);
    }
  }

  pid(index: number): number {
    return this.#members[index]!.process!.pid;
  }

  async kill(index: number): Promise<void> {
    await this.signal(index, "SIGKILL");
    await this.#members[index]!.process?.exited;
    this.#members[index]!.process = undefined;
  }

  /** SIGSTOP makes a member that hangs, SIGCONT ends that. */
  async signal(index: number, signal: "SIGKILL" | "SIGSTOP" | "SIGCONT"): Promise<void> {
    this.#members[index]!.process?.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#members.map((_, index) => this.kill(index)));
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Ports that nobody listens on, all different. Not of those that the kernel gives to connections: one of these might be taken before it is used. */
export async function freePorts(count: number): Promise<number[]> {
  const servers: Server[] = [];
  while (servers.length < count) {
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false)).listen(randomInt(11_000, 30_000), "127.0.0.1", () => resolve(true));
    });
    if (isFree) servers.push(server);
  }
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** A CA, the members' certificate and a client's, as files and as what the client uses. */
async function writeCertificates(directory: string, names: readonly string[]): Promise<GrpcTls> {
  const ca = await createCa("etcd", nextYear);
  const server = await createLeaf({ subject: { commonName: "etcd" }, issuer: ca, usage: "server", names, notAfter: nextYear });
  const client = await createLeaf({ subject: { commonName: "skiff" }, issuer: ca, usage: "client", notAfter: nextYear });
  const write = (name: string, { certificate, key }: KeyPair): void => {
    writeFileSync(join(directory, `${name}.crt`), certificate);
    writeFileSync(join(directory, `${name}.key`), key, { mode: 0o600 });
  };
  write("ca", ca);
  write("server", server);
  write("client", client);
  return { ca: ca.certificate, cert: client.certificate, key: client.key };
}
