import { formatQuantity, milliValue, value } from "../../../src/apimachinery/quantity.ts";
import { podRequests } from "../../../src/apis/core/pod/resources.ts";
import { initContainers, type Pod } from "../pod/pod.ts";
import type { PodDisk } from "../stats/pod-disk.ts";
import { resourceOf, unitsOf, type Observations, type Resource, type Signal, type Threshold } from "./thresholds.ts";

/** What a pod uses of what is short; undefined where nobody could find out. */
export interface PodUsage {
  pod: Pod;
  /** Bytes, inodes or processes. */
  used?: number;
  /** By container. */
  containers: ReadonlyMap<string, number>;
}

/**
 * Who has to go first: those that use more than they asked for, then those of lesser priority, then by how much they use beyond their request.
 * Processes can't be asked for. Source: https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#pod-selection-for-kubelet-eviction.
 */
export function rank(resource: Resource, usages: readonly PodUsage[]): PodUsage[] {
  const beyond = ({ pod, used = 0 }: PodUsage): number => used - requestOf(pod, resource);
  const exceeds = (usage: PodUsage): number => (usage.used === undefined || (resource !== "pids" && beyond(usage) > 0) ? 1 : 0);
  return usages.toSorted((a, b) =>
    Number(b.used === undefined) - Number(a.used === undefined)
    || exceeds(b) - exceeds(a)
    || (a.pod.spec.priority ?? 0) - (b.pod.spec.priority ?? 0)
    || beyond(b) - beyond(a));
}

/** Of inodes and processes there are no requests. */
function requestOf(pod: Pod, resource: Resource): number {
  return resource === "memory" || resource === "ephemeral-storage" ? value(podRequests(pod)[resource] ?? 0) : 0;
}

/** What disk a pod uses where a file system is short: with images on another one, each of the two counts its own. */
export function diskUsed(signal: Signal, disk: PodDisk, dedicatedImageFs: boolean): { used: number; containers: ReadonlyMap<string, number> } {
  const unit = resourceOf[signal] === "inodes" ? "inodes" : "bytes";
  const ofImages = signal.startsWith("imagefs");
  const counts = { rootfs: !dedicatedImageFs || ofImages, rest: !dedicatedImageFs || !ofImages };
  let used = counts.rest ? disk.volumes.filter(({ ephemeral }) => ephemeral).reduce((sum, { usage }) => sum + usage[unit], 0) : 0;
  for (const { rootfs, logs } of disk.containers.values()) used += (counts.rootfs ? rootfs[unit] : 0) + (counts.rest ? logs[unit] : 0);
  return { used, containers: new Map([...disk.containers].map(([name, { rootfs, logs }]) => [name, rootfs[unit] + logs[unit]])) };
}

/** Of what is lacking, in bytes or inodes: a pod whose end frees less than this share is not worth its end. */
const worthShare = 0.01;

/**
 * Whether the pod's end would free what is short. Memory and processes come from the pods; a disk may be full of what no pod wrote, and then
 * Kubernetes ends one pod after the other, all for nothing: here those go that have a part in it.
 */
export function freesDisk({ used }: PodUsage, { signal, amount, minimumReclaim }: Threshold, observations: Observations): boolean {
  const resource = resourceOf[signal], observed = observations.get(signal);
  if (used === undefined || !observed || (resource !== "ephemeral-storage" && resource !== "inodes")) return true;
  const { available, capacity } = observed;
  return used >= worthShare * (unitsOf(amount, capacity) + (minimumReclaim ? unitsOf(minimumReclaim, capacity) : 0) - available);
}

/** What an evicted pod is told. Source: k8s.io/kubernetes/pkg/kubelet/eviction evictionMessage, whose words these are. */
export function evictionMessage({ pod, used, containers }: PodUsage, due: readonly Threshold[], observations: Observations): string {
  const [{ signal }] = due as [Threshold];
  const resource = resourceOf[signal];
  let message = `The node was low on resource: ${resource}. `;
  const told = due.find((threshold) => resourceOf[threshold.signal] === resource && observations.has(threshold.signal));
  if (told) {
    const { available, capacity } = observations.get(told.signal)!;
    message += `Threshold quantity: ${show(unitsOf(told.amount, capacity), resource)}, available: ${show(available, resource)}. `;
  }
  if (resource !== "memory" && resource !== "ephemeral-storage") return message;
  const whole = resource === "memory" ? pod.spec.resources?.requests?.["memory"] : undefined;
  if (whole !== undefined && used !== undefined) message += `Pod ${pod.metadata.name} was using ${show(used, resource)}, request is ${whole}, has larger consumption of ${resource}. `;
  for (const { name, resources } of [...pod.spec.containers, ...initContainers(pod)]) {
    const usage = containers.get(name), request = resources?.requests?.[resource] ?? "0";
    if (usage === undefined || usage * 1000 <= milliValue(request)) continue;
    message += `Container ${name} was using ${show(usage, resource)}, request is ${request}, has larger consumption of ${resource}. `;
  }
  return message;
}

const show = (amount: number, resource: Resource): string =>
  formatQuantity({ nano: BigInt(Math.trunc(amount)) * 1_000_000_000n, format: resource === "memory" || resource === "ephemeral-storage" ? "BinarySI" : "DecimalSI" });
