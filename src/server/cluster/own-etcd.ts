import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { Backoff } from "../../base/backoff.ts";
import type { Clock } from "../../base/clock.ts";
import { readIfExists, writeFileAtomic } from "../../base/files.ts";
import type { GrpcTls } from "../../base/grpc/connect.ts";
import { logger } from "../../base/log.ts";
import { parseEndpoints } from "../../storage/etcd/endpoints.ts";
import { EtcdClient } from "../../storage/etcd/etcd-client.ts";
import { type Member, toKey } from "../../storage/etcd/messages.ts";
import { reclaimRoom } from "../../storage/etcd/reclaim-room.ts";
import { StorageError } from "../../storage/storage.ts";
import type { EtcdOptions } from "../datastore/etcd-options.ts";
import { mustNotHoldCluster } from "../datastore/engine.ts";
import { migrateToEtcd, setDatabaseAside } from "../datastore/migrate.ts";
import type { PkiOptions } from "../pki/cluster-pki.ts";
import { UsageError } from "../settings.ts";
import type { Outcome } from "./agreement.ts";
import { askToJoin } from "./ask-to-join.ts";
import { ensureEtcdPki } from "./etcd-pki.ts";
import { EtcdMember } from "./member.ts";
import type { ClusterOptions } from "./options.ts";
import { writeSharedFiles } from "./shared-files.ts";

const log = logger("etcd");
const pollMs = 250;
/** For one question: what etcd itself says when it ends is more to the point. */
const patienceMs = 1000;

export interface OwnEtcdOptions {
  cluster: ClusterOptions;
  nodeName: string;
  token: string | undefined;
  dataDir: string;
  databaseFile: string;
  maxBytes: number;
  /** Where this server listens, and where others reach it. */
  localAddress: string;
  address: string | undefined;
  pki: Pick<PkiOptions, "directory" | "now" | "builtAt">;
  /** What this server was given of what all have alike. */
  given: Outcome;
  clock: Clock;
}

const directoryOf = (dataDir: string): string => join(dataDir, "server/db/etcd");

/** Whether the state is kept in etcd that runs beside this server: asked for, or so since an earlier start. */
export const keepsOwnEtcd = (dataDir: string, { init, server, reset }: ClusterOptions): boolean => init || server !== undefined || reset || existsSync(join(directoryOf(dataDir), "member"));

/** This server's member of etcd: begins a cluster, joins one, or goes on in the one it is of. */
export class OwnEtcd {
  readonly #member: EtcdMember;
  /** Where others reach this server. */
  #address: string;
  /** By what this server's clients are known to etcd. */
  #tls!: Required<GrpcTls>;

  constructor(private readonly options: OwnEtcdOptions) {
    const { nodeName, dataDir, pki, localAddress, address, maxBytes, clock } = options;
    if (!address) throw new UsageError("other servers have to reach this one: give it an address with --advertise-address");
    this.#address = address;
    this.#member = new EtcdMember({ name: nodeName, directory: directoryOf(dataDir), tlsDir: join(pki.directory, "etcd"), localAddress, address, maxBytes, clock });
  }

  /** Resolves when the cluster takes writes, with how to reach it; waits for a majority as long as it takes. Throws a `UsageError`. */
  async start(signal: AbortSignal): Promise<EtcdOptions> {
    const { cluster, databaseFile, dataDir, clock } = this.options, directory = join(dataDir, "server");
    let initialCluster: string | undefined;
    this.#member.mustBeInstalled();
    if (!this.#member.exists) {
      // A cluster that begins several servers brings its state along; one that joins has none.
      if (!cluster.init) mustNotHoldCluster(databaseFile);
      if (cluster.reset) throw new UsageError(`there is no member to reset in ${directoryOf(dataDir)}`);
      if (cluster.server) {
        const answer = await askToJoin({ server: cluster.server, token: this.options.token!, question: { name: this.options.nodeName, peerUrl: this.#member.peerUrl, given: this.options.given }, clock }, signal);
        writeSharedFiles(directory, answer.files, clock.now());
        this.#remember(answer.endpoints);
        initialCluster = answer.initialCluster;
      }
    }
    await this.renewCertificates(this.options.pki);
    const tls = (): GrpcTls => this.#tls;
    await this.#member.start({ initialCluster, reset: cluster.reset });
    if (cluster.reset) this.#remember([]);
    const client = new EtcdClient({ endpoints: this.#endpoints(), tls, clock });
    try {
      await this.#untilVoting(client, signal);
      await this.#reclaimRoom(this.#tls);
      if (existsSync(databaseFile)) await this.#bringState(this.#tls);
      const { members = [] } = await client.call("MemberList", {}, { repeatable: true });
      await this.#tellAddress(client, members);
      this.#remember(members.flatMap(({ clientUrls = [], name }) => (name === this.options.nodeName ? [] : clientUrls)));
    } catch (error) {
      await this.#member.stop();
      throw error;
    } finally {
      client.close();
    }
    return { endpoints: this.#endpoints(), tls };
  }

  /** A database that is full stays so until somebody sees to it. */
  async #reclaimRoom(tls: GrpcTls): Promise<void> {
    const client = new EtcdClient({ endpoints: parseEndpoints(this.#member.clientUrl), tls, clock: this.options.clock });
    try {
      if (await reclaimRoom(client)) log.warn("etcd's database was full: what it doesn't use any more has been given back, and it takes writes again as far as there is room");
    } catch (error) {
      log.warn("etcd's database is full, and could not be given room", { error });
    } finally {
      client.close();
    }
  }

  /** From the file that the state was in, by one server alone or restored from a backup. What is broken off begins anew with the next start. */
  async #bringState(tls: GrpcTls): Promise<void> {
    const { databaseFile, clock } = this.options;
    try {
      const { revision, records, setAside } = await migrateToEtcd({ databaseFile, etcd: { endpoints: parseEndpoints(this.#member.clientUrl), tls }, clock });
      log.info("The cluster's state is in etcd now", { revision, keys: records, before: setAside });
    } catch (error) {
      if (!(error instanceof StorageError && error.code === "exists")) throw error;
      // All of it was there before the last start ended.
      log.info("The cluster's state is in etcd; the file that it was in is kept", { before: setDatabaseAside(databaseFile, clock.now()) });
    }
  }

  /** Keeps the member alive until `signal` aborts; then ends it. */
  run(signal: AbortSignal): Promise<void> {
    return this.#member.run(signal);
  }

  stop(): Promise<void> {
    return this.#member.stop();
  }

  /** Makes the member's certificates, or renews those that end soon or are for another address. etcd reads its own at each handshake. */
  async renewCertificates({ directory, now, builtAt }: OwnEtcdOptions["pki"]): Promise<void> {
    const { nodeName, localAddress } = this.options;
    this.#tls = await ensureEtcdPki({ directory, now, builtAt, nodeName, names: [...new Set(["localhost", "127.0.0.1", nodeName, localAddress, this.#address])] });
  }

  /** Others reach this server elsewhere now: its member starts anew there, and the cluster is told as soon as it takes writes. */
  async move(address: string, pki: OwnEtcdOptions["pki"], client: EtcdClient, signal: AbortSignal): Promise<void> {
    if (address === this.#address) return;
    log.info("This server has another address: its etcd starts anew there", { before: this.#address, now: address });
    this.#address = address;
    await this.renewCertificates(pki);
    this.#member.move(address);
    const backoff = new Backoff({ base: 500, max: 30_000 });
    while (!signal.aborted && address === this.#address) {
      try {
        const { members = [] } = await client.call("MemberList", {}, { repeatable: true });
        return await this.#tellAddress(client, members);
      } catch (error) {
        log.warn("The cluster could not be told of this server's new address, will try again", { error });
      }
      await this.options.clock.sleep(backoff.next(), signal).catch(() => undefined);
    }
  }

  /** etcd keeps where its members reach each other; a server's address may have changed, also while it was off. */
  async #tellAddress(client: EtcdClient, members: readonly Member[]): Promise<void> {
    const own = members.find(({ name }) => name === this.options.nodeName), { peerUrl } = this.#member;
    if (!own || own.peerUrls.includes(peerUrl)) return;
    await client.call("MemberUpdate", { id: own.id, peerUrls: [peerUrl] }, { repeatable: true });
    log.info("The cluster knows where this server is now", { before: own.peerUrls.join(), now: peerUrl });
  }

  /** A new member has no vote until it has all data, and is made a full one then. */
  async #untilVoting(client: EtcdClient, signal: AbortSignal): Promise<void> {
    const { clock } = this.options;
    for (let waited = 0, told = false; ; waited += pollMs) {
      signal.throwIfAborted();
      if (this.#member.ended) throw new UsageError(`etcd ended at once: ${whyEnded(this.#member.lastWords())}`);
      try {
        const { members = [] } = await client.call("MemberList", {}, { repeatable: true, patienceMs });
        const own = members.find(({ name, peerUrls }) => name === this.options.nodeName || peerUrls.includes(this.#member.peerUrl));
        if (own?.isLearner) await client.call("MemberPromote", { id: own.id }, { repeatable: true, patienceMs });
        else {
          await client.call("Range", { key: toKey("/skiff/datastore") }, { repeatable: true, patienceMs });
          return;
        }
      } catch (error) {
        if (waited > 5000 && !told) log.info("Waiting for etcd: most servers of the cluster have to run", { error: (error as Error).message });
        told ||= waited > 5000;
      }
      await clock.sleep(pollMs, signal);
    }
  }

  /** Its own member first: others serve while that one doesn't. */
  #endpoints(): EtcdOptions["endpoints"] {
    const others = JSON.parse(readIfExists(this.#endpointsFile) ?? "[]") as string[];
    return parseEndpoints([this.#member.clientUrl, ...others].join());
  }

  #remember(others: readonly string[]): void {
    const text = JSON.stringify(others);
    if (readIfExists(this.#endpointsFile) !== text) writeFileAtomic(this.#endpointsFile, text);
  }

  get #endpointsFile(): string {
    return join(dirname(directoryOf(this.options.dataDir)), "etcd-endpoints.json");
  }
}

function whyEnded(words: string): string {
  if (words.includes("address already in use")) return `${words}; if that is the service of the package etcd-server, end it: systemctl disable --now etcd`;
  if (words.includes("permanently removed")) return `${words}; to join anew, remove this server's directory of etcd and start it with --server and --token`;
  return words || "it says nothing";
}
