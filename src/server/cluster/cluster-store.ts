import type { Clock } from "../../base/clock.ts";
import type { HttpHandler } from "../../base/http.ts";
import { parseJoinToken } from "../../base/join/join-token.ts";
import { readIfExists } from "../../base/files.ts";
import { EtcdClient } from "../../storage/etcd/etcd-client.ts";
import type { InformerFactory } from "../../client/informer.ts";
import type { EtcdOptions } from "../datastore/etcd-options.ts";
import type { Layout } from "../layout.ts";
import { localAddressOf } from "../listening.ts";
import type { ServerOptions } from "../options.ts";
import { type ClusterPki, ensurePki, type PkiOptions } from "../pki/cluster-pki.ts";
import { tokenFile } from "../token.ts";
import { admissionHandler, serversPath } from "./admission.ts";
import { prepareCredentials } from "./credentials.ts";
import { removeGoneMembers } from "./gone-members.ts";
import { keepsOwnEtcd, OwnEtcd } from "./own-etcd.ts";
import type { Servers } from "./servers.ts";
import { SharedFiles, sharedFilesIn } from "./shared-files.ts";

export interface ClusterStoreDependencies {
  options: ServerOptions;
  layout: Layout;
  pki: PkiOptions;
  /** Where others reach this server. */
  address: string | undefined;
  clock: Clock;
}

/** The etcd that a server's state is in, if it is, and what the servers that use it share. Nothing of it costs anything where the state is in a file. */
export class ClusterStore {
  #etcd: EtcdOptions | undefined;
  #own: OwnEtcd | undefined;
  #shared: SharedFiles | undefined;
  /** Asks for members, and changes them. */
  #client: EtcdClient | undefined;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;

  /** Starts etcd where that runs beside the server, and returns keys and certificates: taken from the cluster, or made. Throws a `UsageError`. */
  async open({ options, layout, pki, address, clock }: ClusterStoreDependencies, signal: AbortSignal): Promise<ClusterPki> {
    const { dataDir, token, nodeName, cluster, datastore } = options, { databaseFile } = layout;
    this.#etcd = datastore.etcd;
    if (!this.#etcd && keepsOwnEtcd(dataDir, cluster)) {
      const own = new OwnEtcd({ cluster, nodeName, token, dataDir, databaseFile, maxBytes: datastore.maxBytes, localAddress: localAddressOf(options), address, pki, clock });
      this.#etcd = await own.start(signal);
      this.#own = own;
      this.#running = own.run(this.#stop.signal);
      this.#client = new EtcdClient({ ...this.#etcd, clock });
    }
    if (this.#etcd) this.#shared = new SharedFiles({ etcd: this.#etcd, directory: `${dataDir}/server`, databaseFile, token, clock });
    return prepareCredentials({ options, pki, shared: this.#shared });
  }

  /** Renews certificates that end soon, or lack a name; etcd reads its own at each handshake. */
  async renew(pki: PkiOptions): Promise<ClusterPki & { renewed: boolean }> {
    await this.#own?.renewCertificates(pki);
    return ensurePki(pki);
  }

  /** The options, with the etcd that runs beside this server. */
  with(options: ServerOptions): ServerOptions {
    return this.#etcd ? { ...options, datastore: { ...options.datastore, etcd: this.#etcd } } : options;
  }

  /** Paths below `/v1-skiff/` by which servers join. */
  routes({ dataDir }: ServerOptions, servers: Servers): Record<string, HttpHandler> {
    const client = this.#client;
    if (!client) return {};
    return { [serversPath]: admissionHandler({ client, files: () => sharedFilesIn(`${dataDir}/server`), secret: () => parseJoinToken(readIfExists(tokenFile(dataDir)) ?? "")!.secret, live: () => servers.names }) };
  }

  /** Keeps what servers share the same on all, until `signal` aborts. */
  async followShared(signal: AbortSignal): Promise<void> {
    await this.#shared?.run(signal);
  }

  /** The leader's part: see `removeGoneMembers`. */
  async tidyMembers({ informers, servers, clock }: { informers: InformerFactory; servers: Servers; clock: Clock }, signal: AbortSignal): Promise<void> {
    if (this.#client) await removeGoneMembers({ client: this.#client, informers, live: () => servers.names, clock }, signal);
  }

  async close(): Promise<void> {
    this.#shared?.close();
    this.#client?.close();
    this.#stop.abort();
    await this.#running;
  }
}
