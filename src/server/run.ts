import { hostname } from "node:os";
import { schedule } from "node-cron";
import { createAgent, NodeAddresses } from "../../agents/agent.ts";
import { ingressController } from "../../agents/ingress/routes.ts";
import type { Schedule } from "../apis/batch/cron-schedule.ts";
import { leases } from "../apis/coordination/lease.ts";
import { nodes } from "../apis/core/node.ts";
import { secrets } from "../apis/core/secret.ts";
import { endpointslices } from "../apis/discovery/endpointslice.ts";
import { reconcileBootstrapPolicy } from "../apiserver/authorization/bootstrap/reconcile.ts";
import { publishStorageVersions } from "../apiserver/storage-versions/publisher.ts";
import { bootstrapPolicy } from "../apiserver/authorization/bootstrap/policy.ts";
import type { Front, FrontTls } from "../apiserver/front/front.ts";
import { background } from "../base/background.ts";
import { systemClock } from "../base/clock.ts";
import { type Component, componentManager, late } from "../base/component.ts";
import { DiskReserve } from "../base/disk-reserve.ts";
import type { HttpHandler } from "../base/http.ts";
import { returnIdleMemory } from "../base/idle-memory.ts";
import { logger } from "../base/log.ts";
import { createMetrics } from "../base/metrics.ts";
import { connectPath } from "../base/tunnel/connect.ts";
import { builtAt, gitVersion } from "../base/version.ts";
import { createControllerMetrics } from "../client/controller-metrics.ts";
import { rulesOf } from "../client/controller.ts";
import { startControllers } from "../client/run-controllers.ts";
import { controllers } from "../controllers/index.ts";
import { ensureClusterDnsService } from "../registry/bootstrap/cluster-dns-service.ts";
import { ensureClusterInfo } from "../registry/bootstrap/cluster-info.ts";
import { ensureExtensionApiServerAuthentication } from "../registry/bootstrap/extension-apiserver-authentication.ts";
import { ensureKubernetesService } from "../registry/bootstrap/kubernetes-service.ts";
import { ensureSystemNamespaces } from "../registry/bootstrap/namespaces.ts";
import { afterRaces } from "../registry/bootstrap/after-races.ts";
import { repairIpAddresses } from "../registry/allocators/ip-addresses.ts";
import { ensureFlowControl } from "../registry/bootstrap/flow-control.ts";
import { ensureSystemPriorityClasses } from "../registry/bootstrap/priority-classes.ts";
import { ensureIngressClass } from "../registry/bootstrap/ingress-class.ts";
import { ensureLocalPathStorageClass } from "../registry/bootstrap/storage-class.ts";
import { ensureServiceCidr } from "../registry/bootstrap/service-cidr.ts";
import { createSchedulerMetrics } from "../scheduler/scheduler-metrics.ts";
import { createScheduler } from "../scheduler/scheduler.ts";
import { type ControlPlane, startControlPlane } from "./control-plane.ts";
import { recordDatastore, serverReference } from "./datastore/events.ts";
import { nowOrWithRoom } from "./datastore/with-room.ts";
import { guardKubelet } from "./kubelet-access.ts";
import { urlHost } from "./host.ts";
import { apiServerIdOf, identityLease } from "./identity-lease.ts";
import { runIngress } from "./ingress.ts";
import { clusterInfo, kubeconfig } from "./kubeconfig.ts";
import { downloads, ownExecutable } from "./join/downloads.ts";
import { type JoinRoutes, withJoin } from "./join/handler.ts";
import { kubeletPorts } from "./join/kubelet-port.ts";
import { serverUrls } from "./join/server-urls.ts";
import { ownNodePasswords } from "./join/password-owners.ts";
import { kubeletDirectory } from "./kubelet-directory.ts";
import { type Layout, layoutOf, prepareDataDir } from "./layout.ts";
import { runManifests } from "./manifests/manifests.ts";
import { labelServerNode } from "./node-role.ts";
import { advertiseAddressOf, listenAddressOf, localAddressOf } from "./listening.ts";
import { localAccess } from "./local-access.ts";
import { addressIn } from "./network-options.ts";
import type { ServerOptions } from "./options.ts";
import { type ClusterPki, frontProxyName, type PkiOptions, signerOf } from "./pki/cluster-pki.ts";
import { pkiOptionsOf } from "./pki-options.ts";
import { openPort } from "./ports.ts";
import { runProcess } from "./run-process.ts";
import { createHeartbeats } from "./tunnel/heartbeats.ts";
import { createReachability } from "./tunnel/reachability.ts";
import { NodeTunnels } from "./tunnel/tunnels.ts";
import { guardAdmin } from "./admin-access.ts";
import { createBackup } from "./backup/backup.ts";
import { backupHandler, backupPath } from "./backup/handler.ts";
import { trustEndpointCa } from "./backup/endpoint-ca.ts";
import { configuredStores } from "./backup/places.ts";
import { finishRestore } from "./backup/restore.ts";
import { backupMetrics, runBackupSchedule } from "./backup/schedule.ts";
import { ClusterStore } from "./cluster/cluster-store.ts";
import { resetCluster } from "./cluster/reset.ts";
import { Servers } from "./cluster/servers.ts";
import { encryptionHandler, encryptionPath } from "./encryption/handler.ts";
import { joinSecrets } from "./token.ts";
import { admin, networkUser, nodeUser, schedulerUser, serviceAccountUser } from "./component-users.ts";

const log = logger("server");

/**
 * Runs the server until SIGTERM or SIGINT, then stops everything in the reverse order; pods keep running.
 * Rejects with a `UsageError` for what the user can mend.
 */
export async function runServer(options: ServerOptions): Promise<void> {
  const layout = layoutOf(options.dataDir);
  trustEndpointCa(options.backup.s3.endpointCa, layout);
  const held = finishRestore(layout);
  prepareDataDir(layout);
  if (options.cluster.reset) {
    held.release();
    return resetCluster(options, layout);
  }
  await runProcess("server", ({ stopping, fail }) => {
    const server = new Server(options, layout, stopping, fail);
    return {
      components: server.components(),
      up() {
        log.info("Skiff is up", { version: gitVersion, api: server.url, node: options.disableAgent ? "none" : options.nodeName });
        return `serving ${server.url}`;
      },
    };
  });
}

/** The parts of a server and what they share. */
class Server {
  #pki!: ClusterPki;
  readonly #store = new ClusterStore();
  #plane!: ControlPlane;
  #front!: Front;
  #kubelet: HttpHandler | undefined;
  #kubeletPorts: ReturnType<typeof kubeletPorts> | undefined;
  #tunnels: NodeTunnels | undefined;
  /** Who joins waits until the cluster has what every cluster has. */
  #bootstrapped = false;
  /** The kubelet's own. */
  #nodePort: Front | undefined;
  readonly #clock = systemClock;
  readonly #metrics = createMetrics();
  readonly #controllerMetrics = createControllerMetrics(this.#metrics);
  readonly #schedulerMetrics = createSchedulerMetrics(this.#metrics);
  readonly #servers = new Servers();
  readonly #writeLocalAccess: () => void;
  readonly #addressesBy = ({ nodeIps, clusterCidrs, serviceCidrs }: ServerOptions): NodeAddresses => new NodeAddresses({ given: nodeIps, clusterCidrs, serviceCidrs, clock: this.#clock, log });
  #addresses: NodeAddresses;
  constructor(private options: ServerOptions, private readonly layout: Layout, private readonly stopping: AbortSignal, private readonly fail: (what: string, error: unknown) => void) {
    this.#writeLocalAccess = localAccess({ options, kubeconfig: () => kubeconfig({ server: this.url, ca: this.#pki.serverCa.certificate, client: this.#pki.admin }), clock: this.#clock, stopping });
    this.#addresses = this.#addressesBy(options);
  }

  /** From now on: as the other servers of its cluster do. */
  #runBy(options: ServerOptions): PkiOptions {
    const { clusterCidrs, serviceCidrs } = this.options;
    if (!Bun.deepEquals([clusterCidrs, serviceCidrs], [options.clusterCidrs, options.serviceCidrs])) this.#addresses = this.#addressesBy(options);
    this.options = options;
    return this.#pkiOptions();
  }

  get url(): string {
    return `https://${urlHost(localAddressOf(this.options))}:${this.#front.port}`;
  }

  /** In the order of starting. */
  components(): Component[] {
    const reserve = new DiskReserve({ path: this.layout.reserveFile, clock: this.#clock, log });
    const parts: Component[] = [reserve.component(), this.#clusterStore(), late("node-addresses", () => this.#addresses.component()), this.#controlPlane(), this.#port(), this.#servers.presence(), this.#bootstrap(), this.#followAddresses(), ...this.#identity(), this.#renewal(), this.#servers.election()];
    parts.push(this.#loop("aggregator", (signal) => this.#plane.runAggregator(signal)), this.#led("server-addresses", (signal) => this.#servers.keep(() => this.#publishAddresses(), signal)), this.#loop("members", (signal) => this.#store.tidyMembers({ informers: this.#plane.informers, servers: this.#servers, clock: this.#clock }, signal)), this.#led("scheduler", (signal) => this.#runScheduler(signal)), this.#led("controllers", (signal) => this.#runControllers(signal)), this.#led("manifests", (signal) => this.#runManifests(signal)));
    parts.push(this.#loop("shared-files", (signal) => this.#store.followShared(signal)), this.#led("encryption", (signal) => this.#plane.datastore.encryption.run(signal)), this.#loop("snapshots", async (signal) => this.#plane.datastore.snapshots?.run(signal)), this.#datastoreEvents());
    parts.push(this.#led("node-passwords", (signal) => ownNodePasswords({ client: this.#servers.fenced(this.#plane.clientAs(admin)), informers: this.#plane.informers }, signal)));
    if (this.options.backup.schedule) parts.push(this.#backups(this.options.backup.schedule));
    if (!this.options.disableAgent) parts.push(this.#loop("node-role", (signal) => labelServerNode({ client: this.#plane.clientAs(admin), informers: this.#plane.informers, nodeName: this.options.nodeName }, signal)), this.#agent());
    parts.push(this.#loop("ingress", async (signal) => void (this.#servesIngresses && await runIngress({ plane: this.#plane, options: this.options, layout: this.layout, user: admin, issuer: this.#pki.serverCa, clock: this.#clock }, signal))));
    parts.push(this.#loop("idle-memory", (signal) => returnIdleMemory({ clock: this.#clock }, signal)));
    return parts;
  }

  /** Only a node reaches Services. */
  get #servesIngresses(): boolean {
    return !this.options.disableAgent && !this.options.disable.includes("ingress");
  }

  #loop(name: string, run: (signal: AbortSignal) => Promise<void>): Component {
    return background(name, run, { onFailure: (error) => this.fail(`${name} ended`, error) });
  }

  /** Of several servers one runs it. */
  #led(name: string, run: (signal: AbortSignal) => Promise<void>): Component {
    return this.#loop(name, this.#servers.led(run));
  }

  /** All that starts after it goes by the options that this server has in its cluster. */
  #clusterStore(): Component {
    const { options, layout } = this, about = () => ({ options, layout, runBy: (agreed: ServerOptions) => this.#runBy(agreed), address: advertiseAddressOf(options, this.#addresses.current[0]), clock: this.#clock });
    return { name: "cluster-store", start: async (signal) => void (this.#pki = await this.#store.open(about(), signal)), stop: () => this.#store.close() };
  }

  #controlPlane(): Component {
    const { layout } = this;
    return {
      name: "control-plane",
      start: async () => {
        const { options } = this;
        this.#plane = await startControlPlane({
          options, databaseFile: layout.databaseFile, encryptionFile: layout.encryptionFile, clusterKey: this.#pki.serverCa.key, serviceAccountKey: this.#pki.serviceAccountKey, frontProxyClient: () => this.#pki.frontProxyClient, metrics: this.#metrics, clock: this.#clock, stopping: this.stopping,
          nodes: { connect: (name) => (name === options.nodeName && !options.disableAgent ? this.#kubelet : this.#tunnels?.connect(name)), network: (name) => this.#tunnels?.network(name) },
          onFatal: (error) => this.fail("the database can't be used any more", error),
        });
        this.#kubeletPorts = kubeletPorts({ nodes: this.#plane.informers.informer(nodes).lister, serverCa: this.#pki.serverCa.certificate, client: () => this.#pki.kubeletClient });
        const { handler, clientAs, informers, recorder, datastore } = this.#plane;
        if (datastore.storage.latest) this.#servers.join({ dataDir: options.dataDir, nodeName: options.nodeName, client: clientAs(admin), informers, metrics: this.#metrics, clock: this.#clock, encryption: datastore.encryption, fail: this.fail });
        const onConnected = createReachability({ nodes: informers.informer(nodes).lister, recorder: recorder("node-tunnel", admin), clock: this.#clock });
        const heartbeats = createHeartbeats({ clientAs: (name) => clientAs(nodeUser(name)), nodes: informers.informer(nodes).lister, leases: informers.informer(leases).lister, clock: this.#clock });
        this.#tunnels = new NodeTunnels({ api: handler, clock: this.#clock, onHeartbeat: heartbeats, onConnected, otherwise: (name) => this.#kubeletPorts?.connect(name) });
      },
      stop: async () => {
        this.#kubeletPorts?.close();
        await this.#plane?.close();
      },
    };
  }

  #port(): Component {
    return {
      name: "port",
      start: async () => {
        const { options } = this;
        this.#front = await openPort({ hostname: listenAddressOf(options), port: options.httpsListenPort, tls: this.#tls(this.#pki.serving), handler: withJoin(this.#plane.handler, this.#joinRoutes()), limits: { connections: options.protection.maxConnections, connectionsPerAddress: options.protection.maxConnectionsPerAddress } }, "https-listen-port", options.front);
        this.#writeLocalAccess();
      },
      stop: async () => {
        this.#tunnels?.stop();
        await this.#front?.stop({ graceMs: 2000 });
      },
    };
  }

  /** What every cluster has: namespaces, priority classes, roles, the Services of the API and of DNS. */
  #bootstrap(): Component {
    return {
      name: "bootstrap",
      start: async () => {
        const { options } = this;
        const client = this.#plane.clientAs(admin);
        await afterRaces(() => ensureSystemNamespaces(client));
        await nowOrWithRoom(() => afterRaces(async () => {
          await ensureSystemPriorityClasses(client);
          await ensureFlowControl(client);
          await ensureServiceCidr(client, options.serviceCidrs, this.#clock.now());
          if (!options.disable.includes("local-storage")) await ensureLocalPathStorageClass(client);
          if (this.#servesIngresses) await ensureIngressClass(client, ingressController);
          await reconcileBootstrapPolicy(client, bootstrapPolicy(this.#controllers().map((controller) => ({ name: controller.name, rules: rulesOf(controller) }))));
          await ensureExtensionApiServerAuthentication(client, { clientCa: this.#pki.clientCa.certificate, frontProxyCa: this.#pki.frontProxyCa.certificate, allowedNames: [frontProxyName] });
          await this.#announceAddress();
          await ensureClusterDnsService(client, options.clusterDns);
          await repairIpAddresses(client);
        }), { shortage: this.#plane.datastore.shortage, stopping: this.stopping });
        this.#plane.markReady();
        this.#bootstrapped = true;
      },
    };
  }

  /** Tells pods, nodes and other servers where this server is. To be called again when that changes. */
  async #announceAddress(): Promise<void> {
    await this.#servers.announce(this.#place);
    await this.#publishAddresses();
  }

  get #place(): { address: string | undefined; port: number } {
    return { address: advertiseAddressOf(this.options, this.#addresses.current[0]), port: this.#front.port };
  }

  async #publishAddresses(): Promise<void> {
    const { options } = this, client = this.#plane.clientAs(admin), { port } = this.#place, servers = this.#servers.addresses(this.#place);
    await ensureClusterInfo(client, clusterInfo({ server: `https://${urlHost(servers[0] ?? options.nodeName)}:${port}`, ca: this.#pki.serverCa.certificate }));
    await ensureKubernetesService(client, { clusterIP: addressIn(options.serviceCidrs[0]!, 1), servers, port });
  }

  /** After a move to another network: certificates that name the new addresses, and word of them. */
  #followAddresses(): Component {
    let unsubscribe = (): void => undefined;
    const follow = (): void => {
      Promise.all([this.#renew(), this.#announceAddress()]).catch((error: unknown) => log.error("The server's new address could not be announced", { error }));
    };
    return { name: "follow-addresses", start: async () => { unsubscribe = this.#addresses.onChange(follow); }, stop: async () => unsubscribe() };
  }

  #joinRoutes(): JoinRoutes {
    const { options } = this, { clientAs, informers } = this.#plane;
    const { clusterCidrs, serviceCidrs, clusterDns, clusterDomain } = options;
    return {
      client: clientAs(admin), nodes: informers.informer(nodes).lister, secrets: informers.informer(secrets).lister, joinSecrets: () => joinSecrets(options.dataDir),
      serverCa: this.#pki.serverCa, clientCa: this.#pki.clientCa, ready: () => this.#bootstrapped, reservedNames: () => [...this.#pkiOptions().servingNames, ...this.#servers.names],
      cluster: { clusterCidrs, serviceCidrs, clusterDns, clusterDomain }, servers: () => serverUrls(informers.informer(endpointslices).lister), now: () => Math.max(this.#clock.now(), builtAt),
      routes: { ...this.#store.routes(options, this.#servers, informers.informer(secrets).lister), [connectPath]: this.#tunnels!.handler, [encryptionPath]: guardAdmin(encryptionHandler(this.#plane.datastore.encryption, () => this.#servers.encryption), this.#plane), [backupPath]: guardAdmin(backupHandler(() => this.#backup()), this.#plane), ...downloads({ directory: this.layout.staticDir, executable: ownExecutable() }) },
    };
  }

  #datastoreEvents(): Component {
    let end = (): void => undefined;
    return {
      name: "datastore-events",
      start: async () => { end = recordDatastore({ engine: this.#plane.datastore, recorder: this.#plane.recorder("datastore", admin), about: serverReference(this.options) }); },
      stop: async () => end(),
    };
  }

  #backup(): ReturnType<typeof createBackup> {
    const { dataDir, configFile, nodeName } = this.options;
    return createBackup({ dataDir, configFile, nodeName, version: gitVersion, now: () => this.#clock.now(), writeState: this.#plane.datastore.writeState });
  }

  #backups(schedule: Schedule): Component {
    const { nodeName, backup } = this.options, metrics = backupMetrics(this.#metrics);
    return this.#led("backups", (signal) => runBackupSchedule({
      ...backup, schedule, stores: configuredStores(backup), nodeName, create: () => this.#backup(), recorder: this.#plane.recorder("backup", admin), about: serverReference(this.options), metrics, clock: this.#clock,
    }, signal));
  }

  /** Servers that share a store are told apart by their nodes' names: several machines may be called localhost. */
  get #hostname(): string {
    return this.#servers.shared ? this.options.nodeName : hostname();
  }

  /** What this API server says of itself, before controllers look at it and until they have stopped. */
  #identity(): Component[] {
    const { featureGates } = this.options;
    if (!featureGates.APIServerIdentity) return [];
    const announce = late("identity-lease", () => identityLease({ hostname: this.#hostname, client: this.#plane.clientAs(admin), clock: this.#clock }));
    const publish = this.#loop("storage-versions", (signal) => publishStorageVersions({ apiServerID: apiServerIdOf(this.#hostname), kinds: this.#plane.kinds, informers: this.#plane.informers, client: this.#plane.clientAs(admin), clock: this.#clock }, signal));
    return [announce, ...(featureGates.StorageVersionAPI ? [publish] : [])];
  }

  /** Certificates are looked at once a day, and new ones taken into use without closing a connection. */
  #renewal(): Component {
    let job: ReturnType<typeof schedule> | undefined;
    return {
      name: "certificate-renewal",
      start: async () => void (job = schedule("17 3 * * *", () => this.#renew().catch((error: unknown) => log.error("certificates could not be renewed", { error })))),
      stop: async () => void (await job?.destroy()),
    };
  }

  async #renew(): Promise<void> {
    const { renewed, ...pki } = await this.#store.renew(this.#pkiOptions(), this.#place.address);
    if (!renewed) return;
    this.#pki = pki;
    await this.#front.reload(this.#tls(pki.serving));
    await this.#nodePort?.reload(this.#tls(pki.kubeletServing));
    this.#writeLocalAccess();
    log.info("certificates renewed");
  }

  #controllers(): ReturnType<typeof controllers> {
    return controllers({ kinds: this.#plane.kinds, extensions: (name) => this.#plane.extensionApisAs(serviceAccountUser(name)), ca: this.#pki.serverCa.certificate, sign: signerOf(this.#pki), issueLegacyToken: this.#plane.issueLegacyToken, clusterCidr: this.options.clusterCidrs.join(","), disable: this.options.disable, featureGates: this.options.featureGates, storageDirectory: this.layout.storageDir });
  }

  #runControllers(signal: AbortSignal): Promise<void> {
    const { clientAs, recorder, informers } = this.#plane;
    return startControllers(this.#controllers(), {
      informers, clock: this.#clock, metrics: this.#controllerMetrics,
      clientFor: (name) => this.#servers.fenced(clientAs(serviceAccountUser(name))),
      recorderFor: (name, source) => recorder(source, serviceAccountUser(name)),
    }, signal);
  }

  #runManifests(signal: AbortSignal): Promise<void> {
    const { clientAs, recorder, kinds, informers } = this.#plane;
    return runManifests({ directory: this.layout.manifestsDir, client: this.#servers.fenced(clientAs(admin)), kinds, informers, recorder: recorder("manifests", admin), clock: this.#clock }, signal);
  }

  #runScheduler(signal: AbortSignal): Promise<void> {
    const { clientAs, recorder, informers } = this.#plane;
    const { configuration, warnings } = this.options.scheduler ?? { warnings: [] };
    for (const warning of warnings) log.warn("A setting of the scheduler's configuration is not used", { warning });
    return createScheduler({ configuration, client: this.#servers.fenced(clientAs(schedulerUser)), informers, recorderFor: (name) => recorder(name, schedulerUser), clock: this.#clock, log: logger("scheduler"), metrics: this.#schedulerMetrics }).run(signal);
  }

  #agent(): Component {
    let manager: ReturnType<typeof componentManager> | undefined;
    return {
      name: "agent",
      start: async (signal) => {
        const { options, layout } = this;
        const { authenticators, authorizer, clientAs, informers } = this.#plane;
        // The port is open before the kubelet is there: its Node tells the port that was found.
        const kubelet: HttpHandler = (request, response) => (this.#kubelet ? this.#kubelet(request, response) : response.send(503, {}, "the kubelet is starting\n"));
        this.#nodePort = await openPort({
          hostname: listenAddressOf(options), port: options.kubeletPort, tls: this.#tls(this.#pki.kubeletServing), handler: guardKubelet(kubelet, { nodeName: options.nodeName, authenticators, authorizer }),
        }, "kubelet-port", options.front);
        const agent = createAgent({
          ...options, nodeAddresses: this.#addresses, kubeletPort: this.#nodePort.port, instance: layout.instance, directory: layout.agentDir, kubeletDirectory: kubeletDirectory(layout, options.kubeletRootDir, log), storageDirectory: layout.storageDir, runDirectory: layout.runDir,
          client: clientAs(nodeUser(options.nodeName)), informers, networkClient: clientAs(networkUser(options.nodeName)), networkInformers: informers, clock: this.#clock, onFailure: this.fail,
        });
        this.#kubelet = agent.handler;
        manager = componentManager(agent.components, log);
        await manager.start(signal);
      },
      stop: async () => {
        await this.#nodePort?.stop({ graceMs: 500 });
        await manager?.stop();
      },
    };
  }

  #tls(pair: { certificate: string; key: string }): FrontTls {
    return { cert: pair.certificate, key: pair.key, clientCa: this.#pki.clientCa.certificate, requestHeaderCa: this.#pki.frontProxyCa.certificate };
  }

  #pkiOptions(): PkiOptions {
    return pkiOptionsOf(this.options, { layout: this.layout, nodeIps: this.#addresses.current, now: this.#clock.now() });
  }
}
