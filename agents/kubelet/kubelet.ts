import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../src/base/clock.ts";
import type { HttpHandler } from "../../src/base/http.ts";
import { logger } from "../../src/base/log.ts";
import { isNotFound } from "../../src/apimachinery/status.ts";
import { isAutonomous } from "../../src/apis/core/autonomy.ts";
import { nodes } from "../../src/apis/core/node.ts";
import { runtimeclasses } from "../../src/apis/node/runtimeclass.ts";
import { pods } from "../../src/apis/core/pod/pod.ts";
import { services } from "../../src/apis/core/service/service.ts";
import { persistentvolumes } from "../../src/apis/core/volume/persistentvolume.ts";
import { persistentvolumeclaims } from "../../src/apis/core/volume/persistentvolumeclaim.ts";
import type { DeviceSetting } from "../../src/apis/kubeletconfig/device-setting.ts";
import type { KubeletSettings } from "../../src/apis/kubeletconfig/kubelet-settings.ts";
import type { Taint } from "../../src/apis/generated/core/v1.ts";
import type { Client } from "../../src/client/client.ts";
import type { InformerFactory } from "../../src/client/informer.ts";
import type { ObjectKeeper, ValueKeeper } from "../../src/client/object-keeper.ts";
import type { EventRecorder } from "../../src/client/recorder.ts";
import type { ContainerRuntime } from "../cri/cri.ts";
import { openCgroups, PodCgroups, type CgroupTree } from "./cgroups/cgroups.ts";
import { createCsi } from "./csi/csi.ts";
import { createDevices } from "./devices/devices.ts";
import { housekeeping } from "./housekeeping.ts";
import { defaultImageLimits, ImageCollector } from "./images/image-gc.ts";
import { ImagePuller } from "./images/image-puller.ts";
import { PullRecords } from "./images/pull-records.ts";
import { defaultRotation } from "./logs/rotation.ts";
import { protectNode, type NodeProtectionOptions } from "./node-protection.ts";
import { parseResolvConf, type ResolvConf } from "./network/dns.ts";
import { admittingNode } from "./node/admitting-node.ts";
import { nodeResources } from "./node/allocatable.ts";
import { memoryTotal, readMachine } from "./node/capacity.ts";
import { hasAppArmor } from "./node/host-security.ts";
import { nodeLabels, NodeStatusReporter } from "./node/node-status.ts";
import { Backoff, crashLoopLimits } from "./pod/backoff.ts";
import type { PodContext } from "./pod/context.ts";
import { PodAdmission } from "./pod/pod-admission.ts";
import { PodWorkers } from "./pod/pod-workers.ts";
import { References } from "./pod/references.ts";
import { ProbeManager } from "./probes/probe-manager.ts";
import { ResizeCheckpoints } from "./resize/checkpoints.ts";
import { Resizer } from "./resize/resizer.ts";
import { listRunningPods, readRuntimePod } from "./runtime/runtime-status.ts";
import { kubeletHandler } from "./server/kubelet-handler.ts";
import { createStats } from "./stats/stats.ts";
import { Terminations } from "./stats/terminations.ts";
import { staticPodSource } from "./static-pods/source.ts";
import { StatusManager } from "./status/status-manager.ts";
import { createStreaming, type Streaming } from "./streaming/streaming.ts";
import { KeptAnswers } from "./volumes/kept-answers.ts";
import { releaseVolumes } from "./volumes/local-path.ts";
import { shareMounts } from "./volumes/mount.ts";
import { serviceAccountTokens } from "./volumes/token.ts";
import { Volumes } from "./volumes/volumes.ts";

export interface KubeletOptions {
  runtime: ContainerRuntime;
  client: Client;
  informers: InformerFactory;
  recorder: EventRecorder;
  clock: Clock;
  /** Remember over restarts what only the server can say, so that pods start while it is away. */
  keeper?: ObjectKeeper;
  values?: ValueKeeper;
  nodeName: string;
  /** The first is the node's main address. What it tells may change: see `nodeAddressesChanged`. */
  nodeIps(): readonly string[];
  labels?: Readonly<Record<string, string>>;
  taints?: readonly Taint[];
  /** Files of pods that run without the API: a directory of them, or one. Without it there are none. */
  staticPodPath?: string;
  /** Volumes and pods' files; `<data>/agent/kubelet`. */
  rootDir: string;
  /** Where volumes of the class `local-path` lie. Default `<rootDir>/storage`. */
  storageDirectory?: string;
  /** Default `/var/log/pods`. */
  logDir?: string;
  clusterDns: readonly string[];
  clusterDomain: string;
  /** Below which pods' control groups are made; default `/kubepods`. */
  cgroupRoot?: string;
  cgroups?: CgroupTree;
  settings?: KubeletSettings;
  /** Of this machine, for pods that ask for them. */
  devices?: readonly DeviceSetting[];
  /** References of images that nobody could pull again: they stay. */
  pinnedImages?(): ReadonlySet<string>;
  /** Where the kubelet's own API listens, as the Node says. Default 10250. */
  kubeletPort?: number;
  /** See `NodeStatusOptions`. */
  heartbeat?(): boolean;
  resolvConfPath?: string;
  /** How logind is found, which tells that the machine goes down; default where systemd has it. */
  logind?: NodeProtectionOptions["logind"];
  /** See `PodContext`. */
  podHasAddresses?: PodContext["podHasAddresses"];
  /** Default: by the runtime's own streaming server. */
  streaming?: Streaming;
  /** What the kubelet's API tells of the proxy for Services. */
  proxyMetrics?(): string;
}

export interface Kubelet {
  /** Runs until `signal` aborts; pods run on then, to be adopted by the next kubelet. */
  run(signal: AbortSignal): Promise<void>;
  /** The kubelet's API. It trusts its caller. */
  readonly handler: HttpHandler;
  /** Resolves when the API shows the node as Ready for the first time. */
  readonly ready: Promise<void>;
  /** The statuses of the node's pods as this kubelet knows them, by the uid that the API has them under. */
  readonly podStatuses: Pick<StatusManager, "get" | "onChange">;
  /** Images came by another way than a pull: pods that wait for one try again at once. */
  imagesChanged(): void;
  /** The node has other addresses: they are told at once, and what pods say of them. */
  nodeAddressesChanged(): void;
}

export function createKubelet(options: KubeletOptions): Kubelet {
  const { runtime, client, informers, recorder, clock, nodeName, nodeIps, rootDir } = options;
  const log = logger("kubelet");
  const stop = new AbortController();
  mkdirSync(rootDir, { recursive: true, mode: 0o750 });
  const settings = options.settings ?? {};
  const capacity = nodeResources(readMachine(rootDir), settings);
  const tree = options.cgroups ?? openCgroups();
  const cgroups = new PodCgroups(tree, options.cgroupRoot ?? "/kubepods", settings.podPidsLimit);
  const serviceInformer = informers.informer(services);
  const wake = (uid: string): void => workers.wake(uid);

  const references = new References({ client, clock, log, signal: stop.signal, keeper: options.keeper, onChange: wake });
  const kept = new KeptAnswers({ clock, values: options.values });
  const tokens = serviceAccountTokens({ client, clock, kept });
  const probes = new ProbeManager({ runtime, recorder, clock, onChange: wake });
  const terminations = new Terminations();
  const apiStatuses = new StatusManager({ client, clock, log, signal: stop.signal, onSet: (before, after) => terminations.changed(before, after) });
  const pulls = new PullRecords(join(rootDir, "image-pulls.json"), settings.imagePullCredentialsVerificationPolicy ?? "NeverVerifyPreloadedImages", log);
  const puller = new ImagePuller({ runtime, recorder, clock, records: pulls, parallel: settings.serializeImagePulls ? 1 : settings.maxParallelImagePulls, presentWillDo: () => isAutonomous(ownNode.lister.get(nodeName)) });
  const ownNode = informers.informer(nodes, { fieldSelector: `metadata.name=${nodeName}` });
  const statics = options.staticPodPath === undefined ? undefined : staticPodSource({
    path: options.staticPodPath, nodeName, nodeUid: () => ownNode.lister.get(nodeName)?.metadata.uid, client, clock, log, statuses: apiStatuses,
  });
  const statuses = statics?.statuses ?? apiStatuses;
  const appArmor = hasAppArmor();
  const registered = { name: nodeName, labels: nodeLabels(nodeName, options.labels ?? {}), taints: options.taints ?? [] };
  const devices = createDevices({ rootDir, settings: options.devices ?? [], pods: () => workers.pods(), clock, log, onCapacity: () => node.capacityChanged(), onHealth: (uids) => uids.forEach(wake) });
  const admission = new PodAdmission({
    recorder, clock, log, devices: devices.manager,
    node: {
      known: () => admittingNode({ ...registered, allocatable: capacity.allocatable, isDevice: devices.manager.manages, appArmor }, ownNode.lister.get(nodeName)),
      fresh: async () => admittingNode({ ...registered, allocatable: capacity.allocatable, isDevice: devices.manager.manages, appArmor }, await client.get(nodes, { name: nodeName }).catch(() => ownNode.lister.get(nodeName))),
    },
    evict: (uid, verdict) => workers.get(uid)?.evict(verdict) ?? Promise.resolve(),
    gate: (pod) => protection.gate(pod),
    onRoom: () => resizer.retry(),
  });
  const resizer = new Resizer({
    checkpoints: new ResizeCheckpoints(join(rootDir, "resize"), log), recorder, clock, wake, regrant: (pod) => admission.regrant(pod),
  });
  const storageDirectory = options.storageDirectory ?? join(rootDir, "storage");
  const csi = createCsi({ rootDir, nodeName, client, recorder, clock, log, kept, node: () => ownNode.lister.get(nodeName), token: tokens.token, followClaim: references.followClaim, onDrivers: () => workers.wakeAll(), onInUse: () => node.volumesChanged() });
  const volumes = new Volumes(rootDir, {
    nodeName, storageDirectory, claim: async (namespace, name) => (await kept.ask(`claim/${namespace}/${name}`, () => orMissing(client.get(persistentvolumeclaims, { namespace, name })))).answer,
    persistentVolume: async (name) => (await kept.ask(`volume/${name}`, () => orMissing(client.get(persistentvolumes, { name })))).answer,
    nodeLabels: () => ownNode.lister.get(nodeName)?.metadata.labels ?? {}, allocatable: capacity.allocatable, configMap: references.configMap, secret: references.secret, now: () => clock.now(), monotonic: () => clock.monotonic(),
    token: tokens.token, forget: tokens.forget, csi: csi.volumes,
    addresses: (pod) => ({ podIps: (statuses.get(pod.metadata.uid!)?.podIPs ?? pod.status?.podIPs ?? []).map(({ ip }) => ip), hostIps: nodeIps() }),
  });
  const context: PodContext = {
    runtime, client, recorder, clock, log, nodeName, nodeIps,
    // The file that tells is there once the groups are.
    nodeShape: { memoryBytes: memoryTotal(), cgroupVersion: tree.version, get limitsSwap() { return cgroups.limitsSwap; } },
    allocatable: () => capacity.allocatable,
    services: async (wait) => {
      if (wait) await serviceInformer.synced(stop.signal);
      return serviceInformer.lister.list();
    },
    nodeResolvConf: () => readResolvConf(options.resolvConfPath), nodeHosts: () => readFileSync("/etc/hosts", "utf8"),
    async runtimeHandler(name) {
      if (name === undefined) return "";
      const { answer } = await kept.ask(`runtimeclass/${name}`, () => orMissing(client.get(runtimeclasses, { name })));
      if (!answer) throw new Error(`runtimeclass.node.k8s.io "${name}" not found`);
      return answer.handler;
    },
    clusterDns: { servers: options.clusterDns, domain: options.clusterDomain },
    logDir: options.logDir ?? "/var/log/pods", seccompRoot: join(rootDir, "seccomp"),
    cgroups, volumes, references, puller, probes, statuses, crashes: new Backoff(crashLoopLimits), admission, devices: devices.manager,
    ...(options.podHasAddresses ? { podHasAddresses: options.podHasAddresses } : {}), resizer,
  };
  // Pods are judged by the node as the API has it.
  const workers = new PodWorkers(context, informers.informer(pods, { fieldSelector: `spec.nodeName=${nodeName}` }), { statics, ready: (signal) => ownNode.synced(signal) });
  const node = new NodeStatusReporter({
    client, own: ownNode, runtime, recorder, clock, log, nodeName, nodeIps, labels: registered.labels, taints: registered.taints,
    capacity: {
      get capacity() { return { ...capacity.capacity, ...devices.manager.capacity().capacity }; },
      get allocatable() { return { ...capacity.allocatable, ...devices.manager.capacity().allocatable }; },
    },
    kubeletPort: options.kubeletPort ?? 10250, ...(options.heartbeat ? { heartbeat: options.heartbeat } : {}), onReady: () => workers.wakeAll(),
    volumesInUse: () => csi.volumes.inUse(), pressures: () => protection.pressures(), goingDown: () => protection.goingDown(),
  });
  const stats = createStats({
    nodeName, runtime, clock, cgroups, rootDir, logDir: context.logDir, pods: () => workers.pods(), volumes: (uid) => volumes.mountedBy(uid), probes: () => probes.results(), terminations,
  });
  const collector = new ImageCollector({
    runtime, recorder, clock, log, nodeName, pods: () => workers.pods(), pinned: options.pinnedImages ?? (() => new Set()), onDeleted: (left) => pulls.retain(left),
    limits: {
      highPercent: settings.imageGCHighThresholdPercent ?? defaultImageLimits.highPercent, lowPercent: settings.imageGCLowThresholdPercent ?? defaultImageLimits.lowPercent,
      minimumAgeMs: settings.imageMinimumGCAge ?? defaultImageLimits.minimumAgeMs, maximumAgeMs: settings.imageMaximumGCAge ?? defaultImageLimits.maximumAgeMs,
    },
  });
  const protection = protectNode({
    deleteUnusedImages: () => collector.deleteUnused(), settings, clock, log, recorder, runtime, nodeName, rootDir, logDir: context.logDir, stats, volumes: (uid) => volumes.mountedBy(uid), workers, statuses,
    ...(options.logind ? { logind: options.logind } : {}), onChange: () => node.capacityChanged(),
  });
  const handler = kubeletHandler({
    stats: { ...stats.routes, ...(options.proxyMetrics ? { proxyMetrics: options.proxyMetrics } : {}) },
    log, now: () => clock.now(), findPod: (namespace, name) => workers.find(namespace, name), pods: () => workers.pods(), runningPods: () => listRunningPods(runtime), read: (uid) => readRuntimePod(runtime, uid),
    streaming: options.streaming ?? createStreaming({
      exec: async (request) => (await runtime.runtime.exec(request)).url ?? "",
      attach: async (request) => (await runtime.runtime.attach(request)).url ?? "",
      portForward: async (request) => (await runtime.runtime.portForward(request)).url ?? "",
    }),
  });

  return {
    handler,
    ready: node.ready,
    podStatuses: apiStatuses,
    nodeAddressesChanged() {
      node.addressesChanged();
      workers.wakeAll();
    },
    imagesChanged() {
      puller.imagesChanged();
      node.imagesChanged();
      workers.wakeAll();
    },
    async run(signal) {
      const onAbort = (): void => void protection.beforeEnd().catch((error: unknown) => log.warn("Pods were not ended", { error })).finally(() => stop.abort(signal.reason));
      signal.addEventListener("abort", onAbort, { once: true });
      if (signal.aborted) onAbort();
      try {
        cgroups.init(capacity.forPods);
      try {
        shareMounts(rootDir);
      } catch (error) {
        log.warn("What storage drivers mount below the kubelet's directory will not be seen by other pods: make it a shared mount", { directory: rootDir, error });
      }
      } catch (error) {
        // The kernel sets no limit below what is in use: pods that run are worth more than what is newly reserved.
        log.warn("Pods together are not limited to what is not reserved", { error });
        cgroups.init();
      }
      const unsubscribe = ownNode.onChange((old, node) => {
        if (node && node.metadata.uid !== old?.metadata.uid) statics?.mirrors.retry();
        csi.nodeChanged(old, node);
      });
      await Promise.all([
        node.run(stop.signal),
        workers.run(stop.signal).catch((error: unknown) => {
          if (!stop.signal.aborted) throw error;
        }),
        probes.run(stop.signal),
        protection.run(stop.signal),
        devices.run(stop.signal),
        csi.run(stop.signal),
        releaseVolumes({ own: ownNode, client, clock, log, nodeName, storageDirectory }, stop.signal),
        housekeeping({ runtime, clock, log, workers, rotation: { maxBytes: settings.containerLogMaxSize ?? defaultRotation.maxBytes, maxFiles: settings.containerLogMaxFiles ?? defaultRotation.maxFiles }, collectImages: () => collector.collect() }, stop.signal),
      ]).finally(() => {
        unsubscribe();
        stop.abort();
      });
    },
  };
}

const orMissing = <T>(found: Promise<T>): Promise<T | undefined> => found.catch((error: unknown) => {
  if (isNotFound(error)) return undefined;
  throw error;
});

/** systemd-resolved's stub listens on loopback, which pods can't reach: its upstream servers are in a file of its own. */
function readResolvConf(path = "/etc/resolv.conf"): ResolvConf {
  const conf = parseResolvConf(tryRead(path));
  return conf.servers.includes("127.0.0.53") ? parseResolvConf(tryRead("/run/systemd/resolve/resolv.conf")) : conf;
}

function tryRead(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
