import { createMetrics } from "../../../src/base/metrics.ts";
import { registerProcessMetrics } from "../../../src/base/process-metrics.ts";
import { gitCommit, gitVersion } from "../../../src/base/version.ts";
import type { ContainerRuntime } from "../../cri/cri.ts";
import { ContainerState, PodSandboxState } from "../../cri/generated/messages.ts";
import { isTerminal, type Pod } from "../pod/pod.ts";
import type { ProbeResults } from "../probes/probe-manager.ts";
import { exposition, type Family } from "./exposition.ts";
import type { FilesystemUsage } from "./node-usage.ts";
import type { PodDisks, VolumeDisk } from "./pod-disk.ts";
import type { Terminations } from "./terminations.ts";

export interface KubeletMetricsOptions {
  nodeName: string;
  runtime: ContainerRuntime;
  disks: PodDisks;
  pods(): readonly Pod[];
  terminations: Terminations;
}

/** `/metrics`: those of a kubelet that dashboards and alerts know, and the process's. Throws `GrpcError`. Source: https://kubernetes.io/docs/reference/instrumentation/metrics/ */
export function kubeletMetrics({ nodeName, runtime, disks, pods, terminations }: KubeletMetricsOptions): () => Promise<string> {
  const own = createMetrics();
  registerProcessMetrics(own);
  return async () => {
    const [{ containers = [] }, { items = [] }] = await Promise.all([runtime.runtime.listContainers({}), runtime.runtime.listPodSandbox({})]);
    const withState = (state: ContainerState): number => containers.filter((each) => (each.state ?? ContainerState.CONTAINER_CREATED) === state).length;
    const volumes = (await Promise.all(pods().filter(hasClaim).map(async (pod) => (await disks.volumes(pod)).map((volume) => ({ namespace: pod.metadata.namespace!, volume }))))).flat();
    return exposition([
      { name: "kubelet_node_name", type: "gauge", help: "The node's name. The count is always 1.", points: [{ labels: { node: nodeName }, value: 1 }] },
      { name: "kubelet_running_pods", type: "gauge", help: "Number of pods that have a running pod sandbox", points: [{ value: items.filter(({ state }) => (state ?? PodSandboxState.SANDBOX_READY) === PodSandboxState.SANDBOX_READY).length }] },
      {
        name: "kubelet_running_containers", type: "gauge", help: "Number of containers currently running",
        points: [["created", ContainerState.CONTAINER_CREATED], ["exited", ContainerState.CONTAINER_EXITED], ["running", ContainerState.CONTAINER_RUNNING], ["unknown", ContainerState.CONTAINER_UNKNOWN]]
          .map(([name, state]) => ({ labels: { container_state: String(name) }, value: withState(state as ContainerState) })),
      },
      { name: "kubelet_desired_pods", type: "gauge", help: "The number of pods the kubelet is being instructed to run. static is true if the pod is not from the apiserver.", points: [{ labels: { static: "" }, value: pods().filter(({ status }) => !isTerminal(status?.phase)).length }] },
      terminations.family,
      ...volumeFamilies(volumes),
      { name: "kubernetes_build_info", type: "gauge", help: "A metric with a constant '1' value labeled by major, minor, git version, git commit, git tree state, build date, Go version, and compiler from which Kubernetes was built, and platform on which it is running.", points: [{ labels: { git_version: gitVersion, git_commit: gitCommit, platform: `linux/${process.arch === "x64" ? "amd64" : process.arch}` }, value: 1 }] },
    ]) + own.render();
  };
}

const hasClaim = ({ spec: { volumes = [] } }: Pod): boolean => volumes.some(({ persistentVolumeClaim, ephemeral }) => persistentVolumeClaim || ephemeral);

function volumeFamilies(volumes: readonly { namespace: string; volume: VolumeDisk }[]): Family[] {
  // Pods that share a claim would tell of it twice.
  const claims = new Map(volumes.filter(({ volume }) => volume.claim && volume.filesystem).map((each) => [`${each.namespace}/${each.volume.claim}`, each]));
  const family = (name: string, help: string, value: (filesystem: FilesystemUsage, volume: VolumeDisk) => number): Family => ({
    name: `kubelet_volume_stats_${name}`, type: "gauge", help: `${help} in the volume`,
    points: [...claims.values()].map(({ namespace, volume }) => ({ labels: { namespace, persistentvolumeclaim: volume.claim! }, value: value(volume.filesystem!, volume) })),
  });
  return [
    family("available_bytes", "Number of available bytes", ({ availableBytes }) => availableBytes),
    family("capacity_bytes", "Capacity in bytes", ({ capacityBytes }) => capacityBytes),
    family("inodes", "Maximum number of inodes", ({ inodes }) => inodes),
    family("inodes_free", "Number of free inodes", ({ inodesFree }) => inodesFree),
    family("inodes_used", "Number of used inodes", (_, { usage }) => usage.inodes),
    family("used_bytes", "Number of used bytes", (_, { usage }) => usage.bytes),
    {
      name: "kubelet_volume_stats_health_status_abnormal", type: "gauge", help: "Abnormal volume health status. The count is either 1 or 0. 1 indicates the volume is unhealthy, 0 indicates volume is healthy",
      points: [...claims.values()].filter(({ volume }) => volume.abnormal !== undefined).map(({ namespace, volume }) => ({ labels: { namespace, persistentvolumeclaim: volume.claim! }, value: volume.abnormal ? 1 : 0 })),
    },
  ];
}

/** `/metrics/probes`. */
export function probeMetrics(results: Iterable<ProbeResults>): string {
  const titles = { startup: "Startup", liveness: "Liveness", readiness: "Readiness" } as const;
  return exposition([{
    name: "prober_probe_total", type: "counter", help: "Cumulative number of a liveness, readiness or startup probe for a container by result.",
    points: [...results].flatMap(({ pod: { metadata }, container, type, counts }) => Object.entries(counts).map(([result, value]) => ({
      labels: { container, namespace: metadata.namespace ?? "", pod: metadata.name ?? "", pod_uid: metadata.uid ?? "", probe_type: titles[type], result }, value,
    }))),
  }]);
}
