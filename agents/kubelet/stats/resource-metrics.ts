import { exposition, type Family, type Point } from "./exposition.ts";
import type { ContainerSample, PodSample, Sample } from "./node-stats.ts";

/** `/metrics/resource`: what autoscaling and `kubectl top` need, and no more. Source: https://kubernetes.io/docs/reference/instrumentation/metrics/ */
export function resourceMetrics(sample: Sample | undefined): string {
  const failed = { help: "1 if there was an error while getting container metrics, 0 otherwise", type: "gauge" as const, points: [{ value: sample ? 0 : 1 }] };
  return exposition([...(sample ? families(sample) : []), { name: "resource_scrape_error", ...failed }, { name: "scrape_error", ...failed }]);
}

function families({ at, node, byPod }: Sample): Family[] {
  const ofPods = (value: (pod: PodSample) => number | undefined): Point[] => byPod.flatMap((pod) => {
    const amount = value(pod), { namespace = "", name = "" } = pod.pod.metadata;
    return amount === undefined ? [] : [{ labels: { namespace, pod: name }, value: amount, at }];
  });
  const ofContainers = (value: (container: ContainerSample) => number | undefined): Point[] => byPod.flatMap(({ pod: { metadata: { namespace = "", name = "" } }, containers }) => containers.flatMap((container) => {
    const amount = value(container);
    return amount === undefined ? [] : [{ labels: { container: container.name, namespace, pod: name }, value: amount, at }];
  }));
  return [
    { name: "container_cpu_usage_seconds_total", type: "counter", help: "Cumulative cpu time consumed by the container in core-seconds", points: ofContainers(({ usage }) => usage.cpuNanoseconds / 1e9) },
    { name: "container_memory_working_set_bytes", type: "gauge", help: "Current working set of the container in bytes", points: ofContainers(({ usage }) => usage.memory.workingSetBytes) },
    { name: "container_start_time_seconds", type: "gauge", help: "Start time of the container since unix epoch in seconds", points: ofContainers(({ startedAt }) => startedAt / 1000) },
    { name: "container_swap_limit_bytes", type: "gauge", help: "Current amount of the container swap limit in bytes. Reported only on non-windows systems", points: ofContainers(({ usage }) => usage.memory.swapLimitBytes) },
    { name: "container_swap_usage_bytes", type: "gauge", help: "Current amount of the container swap usage in bytes. Reported only on non-windows systems", points: ofContainers(({ usage }) => usage.memory.swapBytes) },
    { name: "node_cpu_usage_seconds_total", type: "counter", help: "Cumulative cpu time consumed by the node in core-seconds", points: [{ value: node.cpuNanoseconds / 1e9, at }] },
    { name: "node_memory_working_set_bytes", type: "gauge", help: "Current working set of the node in bytes", points: [{ value: node.memory.workingSetBytes, at }] },
    { name: "node_swap_usage_bytes", type: "gauge", help: "Current swap usage of the node in bytes. Reported only on non-windows systems", points: [{ value: node.memory.swapUsedBytes, at }] },
    { name: "pod_cpu_usage_seconds_total", type: "counter", help: "Cumulative cpu time consumed by the pod in core-seconds", points: ofPods(({ usage }) => usage.cpuNanoseconds / 1e9) },
    { name: "pod_memory_working_set_bytes", type: "gauge", help: "Current working set of the pod in bytes", points: ofPods(({ usage }) => usage.memory.workingSetBytes) },
    { name: "pod_swap_usage_bytes", type: "gauge", help: "Current amount of the pod swap usage in bytes. Reported only on non-windows systems", points: ofPods(({ usage }) => usage.memory.swapBytes) },
  ];
}
