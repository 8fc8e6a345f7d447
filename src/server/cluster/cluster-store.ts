import type { Clock } from "../../base/clock.ts";
import type { HttpHandler } from "../../base/http.ts";
import { parseJoinToken } from "../../base/join/join-token.ts";
import { readIfExists } from "../../base/files.ts";
import { logger } from "../../base/log.ts";
import { EtcdClient } from "../../storage/etcd/etcd-client.ts";
import { keyOf } from "../../apimachinery/meta.ts";
import type { Secret } from "../../apis/generated/core/v1.ts";
import type { InformerFactory, Lister } from "../../client/informer.ts";
import type { EtcdOptions } from "../datastore/etcd-options.ts";
import { nodePasswordKey } from "../join/node-password.ts";
import type { Layout } from "../layout.ts";
import { localAddressOf } from "../listening.ts";
import type { ServerOptions } from "../options.ts";
import { type ClusterPki, ensurePki, type PkiOptions } from "../pki/cluster-pki.ts";
import { tokenFile } from "../token.ts";
import { admissionHandler, serversPath } from "./admission.ts";
import { givenOutcomeOf, outcomeOf } from "./agreement.ts";
import { prepareCredentials } from "./credentials.ts";
import { removeGoneMembers } from "./gone-members.ts";
import { keepsOwnEtcd, OwnEtcd } from "./own-etcd.ts";
import type { Servers } from "./servers.ts";
import { SharedFiles, sharedFilesIn } from "./shared-files.ts";

const log = logger("servers");

export interface ClusterStoreDependencies {
  options: ServerOptions;
  layout: Layout;
  /** Hears by which options this server runs from now on, with the etcd beside it and what its cluster has; tells what certificates are for then. */
  runBy(options: ServerOptions): PkiOptions;
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
  async open({ options, layout, runBy, address, clock }: ClusterStoreDependencies, signal: AbortSignal): Promise<ClusterPki> {
    const { dataDir, token, nodeName, cluster, datastore } = options, { databaseFile } = layout;
    this.#etcd = datastore.etcd;
    if (!this.#etcd && keepsOwnEtcd(dataDir, cluster)) {
      const own = new OwnEtcd({ cluster, nodeName, token, dataDir, databaseFile, maxBytes: datastore.maxBytes, localAddress: localAddressOf(options), address, pki: runBy(options), given: givenOutcomeOf(options), clock });
      this.#etcd = await own.start(signal);
      this.#own = own;
      this.#running = own.run(this.#stop.signal);
      this.#client = new EtcdClient({ ...this.#etcd, clock });
    }
    const etcd = this.#etcd;
    if (!etcd) return prepareCredentials({ options, runBy, clock });
    this.#shared = new SharedFiles({ etcd, directory: `${dataDir}/server`, databaseFile, token, clock });
    return prepareCredentials({ options: { ...options, datastore: { ...datastore, etcd } }, runBy, cluster: { etcd, shared: this.#shared }, clock });
  }

  /** Renews certificates that end soon, or lack a name. A member of etcd whose server is reached elsewhere now goes there; `address` is where. */
  async renew(pki: PkiOptions, address: string | undefined): Promise<ClusterPki & { renewed: boolean }> {
    await this.#own?.renewCertificates(pki);
    if (address) this.#own?.move(address, pki, this.#client!, this.#stop.signal).catch((error: unknown) => log.error("etcd could not be moved to this server's new address", { error }));
    return ensurePki(pki);
  }

  /** Paths below `/v1-skiff/` by which servers join. */
  routes(options: ServerOptions, servers: Servers, secrets: Lister<Secret>): Record<string, HttpHandler> {
    const client = this.#client, { dataDir } = options;
    if (!client) return {};
    return { [serversPath]: admissionHandler({ client, files: () => sharedFilesIn(`${dataDir}/server`), secret: () => parseJoinToken(readIfExists(tokenFile(dataDir)) ?? "")!.secret, live: () => servers.names, isAgent: (name) => secrets.get(keyOf({ metadata: nodePasswordKey(name) })) !== undefined, outcome: () => outcomeOf(options) }) };
  }

  /** Keeps what servers share the same on all, until `signal` aborts. */
  async followShared(signal: AbortSignal): Promise<void> {
    await this.#shared?.run(signal);
  }

  /** See `removeGoneMembers`. */
  async tidyMembers({ informers, servers, clock }: { informers: InformerFactory; servers: Servers; clock: Clock }, signal: AbortSignal): Promise<void> {
    if (this.#client) await removeGoneMembers({ client: this.#client, informers, heardOf: (name) => servers.heardOf(name), leads: () => servers.leads, clock }, signal);
  }

  async close(): Promise<void> {
    this.#shared?.close();
    this.#client?.close();
    this.#stop.abort();
    await this.#running;
  }
}
