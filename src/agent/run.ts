import { accessSync, constants, existsSync, mkdirSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { createAgent, networkWatch, NodeAddresses } from "../../agents/agent.ts";
import { caHash, ensureText } from "../../agents/join/membership.ts";
import { NodeMembership } from "../../agents/join/node-membership.ts";
import { NodeStore } from "../../agents/node-store/node-store.ts";
import { urgencyOfPod } from "../../agents/node-store/worth-keeping.ts";
import { BesideTunnels } from "../../agents/tunnel/beside.ts";
import { AgentTunnel, type AgentTunnelOptions } from "../../agents/tunnel/tunnel.ts";
import { pods } from "../apis/core/pod/pod.ts";
import { endpointslices } from "../apis/discovery/endpointslice.ts";
import type { Front, FrontTls } from "../apiserver/front/front.ts";
import { background } from "../base/background.ts";
import { systemClock } from "../base/clock.ts";
import { type Component, componentManager } from "../base/component.ts";
import { DiskReserve } from "../base/disk-reserve.ts";
import type { HttpHandler } from "../base/http.ts";
import { AgentRole } from "../base/tunnel/connect.ts";
import { returnIdleMemory } from "../base/idle-memory.ts";
import { logger } from "../base/log.ts";
import { gitVersion } from "../base/version.ts";
import { createHttpClient } from "../client/http-client.ts";
import type { Client } from "../client/client.ts";
import type { InformerFactory } from "../client/informer.ts";
import { createServerContact } from "../client/outage.ts";
import { createReflectingInformers, type ReflectingInformersOptions } from "../client/reflecting-informers.ts";
import { defaultAddresses } from "../server/host.ts";
import { isOfServers, serverUrls } from "../server/join/server-urls.ts";
import { guardKubelet } from "../server/kubelet-access.ts";
import { kubeletDirectory } from "../server/kubelet-directory.ts";
import { type Layout, layoutOf } from "../server/layout.ts";
import { openPort } from "../server/ports.ts";
import { type ProcessContext, runProcess } from "../server/run-process.ts";
import { UsageError } from "../server/settings.ts";
import { delegatedAccess } from "./delegated-access.ts";
import type { AgentProcessOptions } from "./options.ts";

const log = logger("agent");

/** An answer that takes longer than this, in milliseconds, will not come: the next server is asked. */
const requestMs = 15_000;

/**
 * Runs this machine as a node of another's cluster until SIGTERM or SIGINT; pods keep running. A node that has joined once starts with what it
 * has, whether a server answers or not. Rejects with a `UsageError` for what the user can mend here.
 */
export async function runAgent(options: AgentProcessOptions): Promise<void> {
  const layout = layoutOf(options.dataDir);
  prepareAgentDir(layout);
  const nodeName = options.withNodeId ? `${options.nodeName}-${ensureText(join(layout.agentDir, "join/node-id"), () => randomBytes(4).toString("hex"))}` : options.nodeName;
  await runProcess("agent", (context) => {
    const agent = new AgentProcess({ ...options, nodeName }, layout, context);
    return {
      components: agent.components(),
      up() {
        log.info("Skiff is up", { version: gitVersion, server: agent.server, node: nodeName });
        return `node ${nodeName} of ${agent.server}`;
      },
    };
  });
}

function prepareAgentDir({ dataDir, agentDir }: Layout): void {
  if (existsSync(`${dataDir}/server/token`)) throw new UsageError(`${dataDir} is the data directory of a server of its own, whose node this machine already is: uninstall it first, or choose another with --data-dir`);
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o711 });
    mkdirSync(`${agentDir}/join`, { recursive: true, mode: 0o700 });
    accessSync(`${agentDir}/join`, constants.W_OK);
  } catch (error) {
    throw new UsageError(`the data directory ${dataDir} can't be written (${(error as NodeJS.ErrnoException).code ?? (error as Error).message}): make it writable, run as root, or choose another with --data-dir`, { cause: error });
  }
}

/** The parts of an agent and what they share. */
class AgentProcess {
  readonly #membership: NodeMembership;
  readonly #clock = systemClock;
  readonly #contact = createServerContact({ clock: this.#clock, log });
  readonly #tunnel: AgentTunnel;
  readonly #beside: BesideTunnels;
  /** The kubelet's API, once there is one: the ports are open before, and its Node tells the port that was found. */
  #kubelet: HttpHandler = (_, response) => response.send(503, {}, "the kubelet is starting\n");
  #front: Front | undefined;
  /** Known once the cluster has said which families it has. */
  #addresses: NodeAddresses | undefined;
  constructor(private readonly options: AgentProcessOptions, private readonly layout: Layout, private readonly context: ProcessContext) {
    const { nodeName, nodeIps, servers, token } = options;
    this.#membership = new NodeMembership({
      directory: join(layout.agentDir, "join"), nodeName, servers, clock: this.#clock, ...(token ? { token } : {}),
      addresses: () => this.#addresses?.current ?? (nodeIps.length > 0 ? nodeIps : defaultAddresses()),
      onRenewed: () => {
        this.#tunnel.retry();
        this.#beside.retry();
        this.#front?.reload(this.#tls()).catch((error: unknown) => log.error("The kubelet's new certificate could not be taken into use", { error }));
      },
    });
    const tunnels: AgentTunnelOptions = {
      servers: this.#membership.servers, tls: () => this.#membership.endpoint("kubelet").tls, onUnauthorized: () => this.#membership.refused(),
      handler: (request, response) => this.#kubelet(request, response), clock: this.#clock, log: logger("tunnel"),
    };
    this.#tunnel = new AgentTunnel(tunnels);
    this.#beside = new BesideTunnels({ ...tunnels, servers: this.#membership.servers, main: this.#tunnel });
  }

  get server(): string {
    return this.#membership.servers.current.url;
  }

  /** In the order of starting. */
  components(): Component[] {
    return [
      new DiskReserve({ path: this.layout.reserveFile, clock: this.#clock, log }).component(),
      { name: "join", start: (signal) => this.#membership.join(signal) },
      this.#loop("membership", (signal) => this.#membership.run(signal)),
      this.#loop("tunnel", (signal) => this.#tunnel.run(signal)),
      this.#loop("tunnels-beside", (signal) => this.#beside.run(signal)),
      this.#agent(),
      this.#loop("idle-memory", (signal) => returnIdleMemory({ clock: this.#clock }, signal)),
    ];
  }

  #loop(name: string, run: (signal: AbortSignal) => Promise<void>): Component {
    return background(name, run, { onFailure: (error) => this.context.fail(`${name} ended`, error) });
  }

  #agent(): Component {
    const { options, layout, context } = this;
    const stop = new AbortController();
    let manager: ReturnType<typeof componentManager> | undefined;
    let end = async (): Promise<void> => {};
    return {
      name: "agent",
      start: async (signal) => {
        const { cluster, serverCa } = this.#membership.current;
        const store = new NodeStore({ path: join(layout.agentDir, "node.db"), cluster: caHash(serverCa), secret: this.#membership.secret, clock: this.#clock, log: logger("node-store") });
        const keeper = store.keeper("kubelet", [[pods, urgencyOfPod]]);
        const kubelet = this.#connect("kubelet", { keeper, askFirst: [pods] }, stop.signal), network = this.#connect("network", { keeper: store.keeper("network") }, stop.signal);
        end = async () => {
          await Promise.all([kubelet.stopped(), network.stopped()]);
          store.close();
        };
        this.#addresses = new NodeAddresses({ given: options.nodeIps, ...cluster, clock: this.#clock, log });
        this.#addresses.onChange(() => this.#membership.check());
        const watch = networkWatch({ clusterNetworks: [...cluster.clusterCidrs, ...cluster.serviceCidrs], clock: this.#clock, log, onChange: () => {
          this.#tunnel.networkChanged();
          this.#beside.retry();
        } });
        this.#front = await openPort({
          hostname: options.bindAddress === "0.0.0.0" && cluster.clusterCidrs.some((cidr) => cidr.includes(":")) ? "::" : options.bindAddress, port: options.kubeletPort, tls: this.#tls(),
          handler: guardKubelet((request, response) => this.#kubelet(request, response), delegatedAccess({ nodeName: options.nodeName, client: kubelet.client, clock: this.#clock })),
        }, "kubelet-port", options.front);
        const agent = createAgent({
          ...options, ...cluster, nodeAddresses: this.#addresses, kubeletPort: this.#front.port,
          instance: layout.instance, directory: layout.agentDir, kubeletDirectory: kubeletDirectory(layout, options.kubeletRootDir, log), storageDirectory: layout.storageDir, runDirectory: layout.runDir,
          client: kubelet.client, informers: kubelet.informers, networkClient: network.client, networkInformers: network.informers, memory: { keeper, values: store.values }, heartbeat: () => this.#tunnel.heartbeat(), clock: this.#clock, onFailure: context.fail,
        });
        this.#kubelet = agent.handler;
        this.#learnServers(network.informers);
        manager = componentManager([this.#addresses.component(), watch, ...agent.components], log);
        await manager.start(signal);
      },
      stop: async () => {
        await this.#front?.stop({ graceMs: 500 });
        await manager?.stop();
        stop.abort();
        await end();
      },
    };
  }

  /** The way to the API server as one of the node's identities, with whatever server and certificate are good at the moment. */
  #connect(identity: "kubelet" | "network", memory: Pick<ReflectingInformersOptions, "keeper" | "askFirst">, signal: AbortSignal): { client: Client; informers: InformerFactory; stopped(): Promise<void> } {
    const membership = this.#membership;
    const client = this.#contact.observe(createHttpClient({
      endpoint: () => membership.endpoint(identity), timeout: requestMs, userAgent: `skiff-agent/${gitVersion}`,
      onUnreachable: ({ givenUp }) => givenUp && this.#tunnel.unreachable(givenUp), onUnauthorized: () => membership.refused(),
      transport: this.#tunnel.transport(AgentRole[identity]),
    }));
    const informers = createReflectingInformers({ client, clock: this.#clock, contact: this.#contact, ...memory }, signal);
    return { client, informers, stopped: () => informers.stopped() };
  }

  /** The cluster's servers are the endpoints of default/kubernetes, which the network's parts watch among all others. */
  #learnServers(informers: InformerFactory): void {
    const slices = informers.informer(endpointslices);
    slices.onChange((old, slice) => {
      if ([old, slice].some((each) => each && isOfServers(each))) this.#membership.servers.learn(serverUrls(slices.lister));
    });
  }

  #tls(): FrontTls {
    const { pairs: { serving: { certificate, key } }, clientCa } = this.#membership.current;
    return { cert: certificate, key, clientCa };
  }
}
