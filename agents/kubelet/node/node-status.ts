import type { Clock } from "../../../src/base/clock.ts";
import type { Logger } from "../../../src/base/log.ts";
import { isAlreadyExists, isNotFound } from "../../../src/apimachinery/status.ts";
import type { Frozen } from "../../../src/apimachinery/meta.ts";
import { nodes } from "../../../src/apis/core/node.ts";
import type { ContainerImage, Node, NodeCondition, NodeFeatures, NodeRuntimeHandler, NodeStatus, Taint } from "../../../src/apis/generated/core/v1.ts";
import type { Client } from "../../../src/client/client.ts";
import type { Informer } from "../../../src/client/informer.ts";
import { isServerAway } from "../../../src/client/outage.ts";
import type { EventRecorder } from "../../../src/client/recorder.ts";
import type { ContainerRuntime } from "../../cri/cri.ts";
import type { NodeCapacity } from "./allocatable.ts";
import type { Pressure } from "../eviction/thresholds.ts";
import { nodeArchitecture, systemInfo } from "./capacity.ts";
import { allocatableToFollow, hasToFollow } from "./extended-resources.ts";
import { nodeConditions, type NodeHealth } from "./node-conditions.ts";
import { NodeLease } from "./node-lease.ts";
import { RuntimeHealth } from "./runtime-health.ts";

export interface NodeStatusOptions {
  client: Client;
  /** This node alone, as the API has it. */
  own: Informer<Node>;
  runtime: ContainerRuntime;
  recorder: EventRecorder;
  clock: Clock;
  log: Logger;
  nodeName: string;
  nodeIps(): readonly string[];
  /** To register with. */
  labels: Readonly<Record<string, string>>;
  taints: readonly Taint[];
  capacity: NodeCapacity;
  kubeletPort: number;
  volumesInUse(): string[];
  /** What the node is short of. */
  pressures(): readonly Pressure[];
  /** Why it is to be not ready, though nothing is broken. */
  goingDown(): string | undefined;
  /** Tells the API server, without a request, that the kubelet lives and all is as it last reported; false where that can't be. */
  heartbeat?(): boolean;
  /** Called when the node has become ready; pods that failed for want of a network may try again. */
  onReady(): void;
}

const tickMs = 10_000;
/** Until the node is ready for the first time, so that it is so soon. */
const eagerTickMs = 250;
const reportMs = 5 * 60_000;
const mostImages = 50;

/** The labels a node registers with: the usual ones, and those that were asked for. */
export function nodeLabels(nodeName: string, more: Readonly<Record<string, string>>): Record<string, string> {
  const fixed = Object.fromEntries(["kubernetes.io", "beta.kubernetes.io"].flatMap((prefix) => [[`${prefix}/arch`, nodeArchitecture], [`${prefix}/os`, "linux"]]));
  return { ...fixed, "kubernetes.io/hostname": nodeName, ...more };
}

/**
 * Registers the node and keeps its status and Lease: a look every ten seconds, a status write only when something changed or five minutes
 * have passed; not even that while heartbeats reach the server, which then writes Lease and heartbeat times itself.
 */
export class NodeStatusReporter {
  readonly #lease: NodeLease;
  readonly #runtime = new RuntimeHealth();
  readonly #ready = Promise.withResolvers<void>();
  #node?: Frozen<Node>;
  #reported?: { status: string; conditions: readonly NodeCondition[]; at: number };
  /** Ends the wait for the next tick. */
  #wake?: AbortController;
  #images?: ContainerImage[];
  #runtimeVersion?: string;
  #features?: NodeFeatures;
  /** A runtime before containerd 2 tells of none. */
  #runtimeHandlers?: NodeRuntimeHandler[];
  #wasReady?: boolean;
  #leasedAt = -Infinity;
  /** The last heartbeat reached the server. */
  #heard = false;
  constructor(private readonly options: NodeStatusOptions) {
    this.#lease = new NodeLease({ client: options.client, nodeName: options.nodeName, nodeUid: () => this.#node?.metadata.uid });
  }

  /** Resolves when the API shows the node as Ready for the first time. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  imagesChanged(): void {
    this.#images = undefined;
  }

  /** The node's addresses are others now: told at once. */
  addressesChanged(): void {
    this.#wake?.abort();
  }

  /** Other volumes are in use: told at once, for who detaches goes by that. */
  volumesChanged(): void {
    this.#wake?.abort();
  }

  /** What the node has is another now: told at once. */
  capacityChanged(): void {
    this.#wake?.abort();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, recorder } = this.options;
    recorder.event(this.#reference(), "Normal", "Starting", "Starting kubelet.");
    const unsubscribe = this.options.own.onChange((before, node) => {
      if (before && !node) this.#forget();
      if (this.#contradicts(node)) this.#wake?.abort();
    });
    for (let failures = 0; !signal.aborted; ) {
      try {
        await this.#tick();
        failures = 0;
      } catch (error) {
        failures++;
        if (!signal.aborted) log[isServerAway(error) ? "debug" : "warn"]("Node status not reported, will try again", { error });
      }
      this.#wake = new AbortController();
      await clock.sleep(this.#wasReady ? tickMs : Math.min(eagerTickMs * 2 ** Math.min(failures, 10), tickMs), AbortSignal.any([signal, this.#wake.signal])).catch(() => {});
    }
    unsubscribe();
  }

  /** Whether the API says something else of the node than was reported: after a long sleep of the machine, say, others thought it dead; or was given resources. */
  #contradicts(node: Frozen<Node> | undefined): boolean {
    const said = node?.status?.conditions;
    return hasToFollow(node?.status, this.options.capacity.capacity) || (said !== undefined && (this.#reported?.conditions ?? []).some(({ type, status }) => said.some((each) => each.type === type && each.status !== status)));
  }

  /** Deleted by an administrator: the next tick registers it again. */
  #forget(): void {
    this.#node = this.#reported = undefined;
  }

  async #tick(): Promise<void> {
    const { clock } = this.options;
    this.#node ??= await this.#register();
    if (clock.monotonic() - this.#leasedAt >= tickMs - 500) {
      this.#heard = this.#reported !== undefined && this.options.heartbeat?.() === true;
      if (!this.#heard) await this.#lease.renew(clock.now());
      this.#leasedAt = clock.monotonic();
    }
    const seen = this.options.own.lister.get(this.options.nodeName);
    const contradicted = this.#contradicts(seen);
    if (contradicted) this.#node = seen;
    const status = await this.#current();
    const isReady = status.conditions!.some(({ type, status: value }) => type === "Ready" && value === "True");
    const text = withoutHeartbeats(status);
    if (contradicted || text !== this.#reported?.status || (!this.#heard && clock.monotonic() - this.#reported.at >= reportMs)) await this.#report(status, text);
    if (isReady && !this.#wasReady) {
      this.#ready.resolve();
      this.options.onReady();
    }
    if (this.#wasReady !== isReady) this.#announce(isReady);
    this.#wasReady = isReady;
  }

  async #register(): Promise<Frozen<Node>> {
    const { client, nodeName, labels, taints, log } = this.options;
    try {
      const created = await client.create(nodes, { apiVersion: "v1", kind: "Node", metadata: { name: nodeName, labels }, spec: taints.length > 0 ? { taints: [...taints] } : {} });
      log.info("Node registered", { node: nodeName });
      return created;
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      const existing = await client.get(nodes, { name: nodeName });
      if (Object.entries(labels).every(([key, value]) => existing.metadata.labels?.[key] === value)) return existing;
      return client.patch(nodes, { name: nodeName }, { type: "application/merge-patch+json", body: { metadata: { labels } } });
    }
  }

  async #current(): Promise<NodeStatus> {
    const { capacity, nodeIps, nodeName, kubeletPort, clock, runtime } = this.options;
    let health: Pick<NodeHealth, "runtime" | "runtimeError">;
    try {
      const { status = {}, features, runtimeHandlers } = await runtime.runtime.status({}, { timeoutMs: 5000 });
      const version = await runtime.runtime.version({}, { timeoutMs: 5000 });
      this.#runtimeVersion = `${version.runtimeName}://${version.runtimeVersion}`;
      this.#images ??= await this.#listImages();
      this.#features = { supplementalGroupsPolicy: features?.supplementalGroupsPolicy ?? false };
      this.#runtimeHandlers = runtimeHandlers?.map(({ name = "", features: { recursiveReadOnlyMounts = false, userNamespaces = false } = {} }) => ({ name, features: { recursiveReadOnlyMounts, userNamespaces } }));
      health = this.#runtime.answered(status, clock.monotonic());
    } catch (error) {
      health = this.#runtime.failed(error, clock.monotonic());
    }
    const old = this.#node?.status?.conditions ?? [];
    return {
      capacity: capacity.capacity, allocatable: capacity.allocatable,
      conditions: nodeConditions(old, { pressures: this.options.pressures(), goingDown: this.options.goingDown(), ...health, now: clock.now() }),
      addresses: [...nodeIps().map((address) => ({ type: "InternalIP", address })), { type: "Hostname", address: nodeName }],
      daemonEndpoints: { kubeletEndpoint: { Port: kubeletPort } },
      nodeInfo: systemInfo(this.#runtimeVersion ?? ""),
      declaredFeatures,
      ...(this.#features ? { features: this.#features } : {}),
      ...(this.#runtimeHandlers ? { runtimeHandlers: this.#runtimeHandlers } : {}),
      images: this.#images ?? [],
      volumesInUse: this.options.volumesInUse(),
    };
  }

  async #listImages(): Promise<ContainerImage[]> {
    const { images = [] } = await this.options.runtime.images.listImages({});
    return images.map(({ repoDigests = [], repoTags = [], size }) => ({ names: [...repoDigests, ...repoTags].slice(0, 5), sizeBytes: size ?? 0 }))
      .sort((a, b) => b.sizeBytes - a.sizeBytes).slice(0, mostImages);
  }

  async #report(status: NodeStatus, text: string): Promise<void> {
    const { client, nodeName, clock } = this.options;
    const { addresses, ...rest } = status;
    const allocatable = { ...allocatableToFollow(this.#node?.status, this.options.capacity.capacity), ...rest.allocatable };
    const body = { status: { ...rest, allocatable, addresses: [...addresses!, { $patch: "replace" }] } };
    try {
      this.#node = await client.patch(nodes, { name: nodeName }, { type: "application/strategic-merge-patch+json", body }, { subresource: "status" });
    } catch (error) {
      if (isNotFound(error)) this.#forget();
      throw error;
    }
    this.#reported = { status: text, conditions: status.conditions!, at: clock.monotonic() };
  }

  #announce(isReady: boolean): void {
    const { recorder, nodeName } = this.options;
    if (isReady) recorder.event(this.#reference(), "Normal", "NodeReady", `Node ${nodeName} status is now: NodeReady`);
    else if (this.#wasReady !== undefined) recorder.event(this.#reference(), "Normal", "NodeNotReady", `Node ${nodeName} status is now: NodeNotReady`);
  }

  /** Kubernetes puts the node's name where its uid belongs, and tools look for that. */
  #reference() {
    const { nodeName } = this.options;
    return { kind: "Node", apiVersion: "v1", name: nodeName, uid: nodeName, namespace: "" };
  }
}

/** What other than the oldest kubelets can do: the API and the scheduler ask before they let a pod rely on it. Source: k8s.io/component-helpers/nodedeclaredfeatures. */
const declaredFeatures = ["InPlacePodLevelResourcesVerticalScaling", "InPlacePodVerticalScalingInitContainers", "RestartAllContainersOnContainerExits"];

const withoutHeartbeats = (status: NodeStatus): string => JSON.stringify({ ...status, conditions: status.conditions?.map((condition) => ({ ...condition, lastHeartbeatTime: undefined })) });
