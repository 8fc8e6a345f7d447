import { cpus } from "node:os";
import { exposition, type Family, type Point } from "./exposition.ts";
import type { CgroupUsage } from "./cgroup-usage.ts";
import type { Sample } from "./node-stats.ts";

type Labels = Readonly<Record<"container" | "id" | "image" | "name" | "namespace" | "pod", string>>;
interface Group { labels: Labels; usage: CgroupUsage; startedAt?: number }

/**
 * `/metrics/cadvisor`: the names that dashboards and alerts for Kubernetes know, for pods and their containers, with cAdvisor's labels: a pod's own
 * group has an empty `container`. https://github.com/google/cadvisor/blob/master/docs/storage/prometheus.md
 */
export function cadvisorMetrics(sample: Sample): string {
  const { at } = sample;
  const groups = groupsOf(sample);
  const family = (type: Family["type"], name: string, help: string, value: (group: Group) => number | undefined, more: Readonly<Record<string, string>> = {}): Family => ({
    name, type, help, points: groups.flatMap((group): Point[] => {
      const amount = value(group);
      return amount === undefined ? [] : [{ labels: { ...group.labels, ...more }, value: amount, at }];
    }),
  });
  return exposition([
    family("counter", "container_cpu_usage_seconds_total", "Cumulative cpu time consumed in seconds.", ({ usage }) => usage.cpuNanoseconds / 1e9, { cpu: "total" }),
    family("counter", "container_cpu_cfs_periods_total", "Number of elapsed enforcement period intervals.", ({ usage }) => usage.throttling?.periods),
    family("counter", "container_cpu_cfs_throttled_periods_total", "Number of throttled period intervals.", ({ usage }) => usage.throttling?.throttledPeriods),
    family("counter", "container_cpu_cfs_throttled_seconds_total", "Total time duration the container has been throttled.", ({ usage }) => usage.throttling && usage.throttling.throttledNanoseconds / 1e9),
    family("gauge", "container_memory_usage_bytes", "Current memory usage in bytes, including all memory regardless of when it was accessed", ({ usage }) => usage.memory.usageBytes),
    family("gauge", "container_memory_working_set_bytes", "Current working set in bytes.", ({ usage }) => usage.memory.workingSetBytes),
    family("gauge", "container_memory_rss", "Size of RSS in bytes.", ({ usage }) => usage.memory.rssBytes),
    family("gauge", "container_memory_cache", "Number of bytes of page cache memory.", ({ usage }) => usage.memory.cacheBytes),
    family("gauge", "container_memory_mapped_file", "Size of memory mapped files in bytes.", ({ usage }) => usage.memory.mappedFileBytes),
    family("gauge", "container_memory_swap", "Container swap usage in bytes.", ({ usage }) => usage.memory.swapBytes),
    family("gauge", "container_spec_memory_limit_bytes", "Memory limit for the container.", ({ usage }) => usage.memory.limitBytes ?? 0),
    family("gauge", "container_processes", "Number of processes running inside the container.", ({ usage }) => usage.processes),
    family("gauge", "container_start_time_seconds", "Start time of the container since unix epoch in seconds.", ({ startedAt }) => startedAt && startedAt / 1000),
    family("gauge", "container_last_seen", "Last time a container was seen by the exporter", () => Math.floor(at / 1000)),
    ...(["cpu", "memory", "io"] as const).flatMap((kind) => [
      family("counter", `container_pressure_${kind}_waiting_seconds_total`, `Total time duration tasks in the container have waited due to ${names[kind]} congestion.`, ({ usage }) => usage.pressure && usage.pressure[kind].some.total / 1e9),
      family("counter", `container_pressure_${kind}_stalled_seconds_total`, `Total time duration no tasks in the container could make progress due to ${names[kind]} congestion.`, ({ usage }) => usage.pressure && usage.pressure[kind].full.total / 1e9),
    ]),
    ...networkFamilies(sample),
    { name: "machine_cpu_cores", type: "gauge", help: "Number of logical CPU cores.", points: [{ value: cpus().length }] },
    { name: "machine_memory_bytes", type: "gauge", help: "Amount of memory installed on the machine.", points: [{ value: sample.node.memory.capacityBytes }] },
    { name: "machine_swap_bytes", type: "gauge", help: "Amount of swap memory available on the machine.", points: [{ value: sample.node.memory.swapCapacityBytes }] },
  ]);
}

const names = { cpu: "CPU", memory: "memory", io: "IO" } as const;

function groupsOf({ byPod, pods }: Sample): Group[] {
  const none = { container: "", image: "", name: "", namespace: "", pod: "" };
  return [
    ...(pods ? [{ labels: { ...none, id: "/kubepods" }, usage: pods }] : []),
    ...byPod.flatMap(({ pod: { metadata: { namespace = "", name: pod = "" } }, cgroup, usage, startedAt, containers }): Group[] => [
      { labels: { ...none, id: cgroup, namespace, pod }, usage, startedAt },
      ...containers.map((container) => ({ labels: { container: container.name, id: container.cgroup, image: container.image, name: container.id, namespace, pod }, usage: container.usage, startedAt: container.startedAt })),
    ]),
  ];
}

const counted = [["Bytes", "bytes"], ["Packets", "packets"], ["Errors", "errors"], ["Dropped", "packets_dropped"]] as const;
const directions = [["rx", "receive", "received"], ["tx", "transmit", "transmitted"]] as const;

function networkFamilies({ at, byPod }: Sample): Family[] {
  return directions.flatMap(([direction, name, past]) => counted.map(([key, unit]): Family => ({
    name: `container_network_${name}_${unit}_total`, type: "counter", help: `Cumulative count of ${unit.replace("_", " ")} ${unit === "errors" ? "encountered while it " : ""}${past}`,
    points: byPod.flatMap(({ pod: { metadata }, cgroup, interfaces = [] }) => interfaces.map((each) => ({
      labels: { container: "", id: cgroup, image: "", interface: each.name, name: "", namespace: metadata.namespace ?? "", pod: metadata.name ?? "" }, value: each[`${direction}${key}`], at,
    }))),
  })));
}
