import { keyOf, type Frozen } from "../apimachinery/meta.ts";
import { hostPortsOf, type HostPort } from "../apis/core/pod/host-ports.ts";
import type { Pod, PodAffinityTerm, WeightedPodAffinityTerm } from "../apis/generated/core/v1.ts";
import { parseAffinityTerm, type AffinityTerm } from "./affinity-term.ts";
import { nonZeroRequests, podRequests, type Resources } from "./resources.ts";

/** A pod with all that scheduling asks of it again and again. */
export interface PodInfo {
  readonly pod: Frozen<Pod>;
  readonly uid: string;
  readonly key: string;
  readonly namespace: string;
  readonly priority: number;
  readonly requests: Readonly<Resources>;
  /** cpu and memory with containers without requests counted as small ones: for scores. */
  readonly nonZero: Readonly<Resources>;
  readonly hostPorts: readonly HostPort[];
  /** Keys of the claims its volumes name; ephemeral volumes' are not among them. */
  readonly claims: readonly string[];
  /** Undefined for the many pods that have no affinity to pods. */
  readonly affinity: PodAffinities | undefined;
}

export interface PodAffinities {
  readonly required: readonly AffinityTerm[];
  readonly requiredAnti: readonly AffinityTerm[];
  readonly preferred: readonly AffinityTerm[];
  readonly preferredAnti: readonly AffinityTerm[];
}

const made = new WeakMap<Frozen<Pod>, PodInfo>();

/** Made once for each object: objects don't change. */
export function podInfo(pod: Frozen<Pod>): PodInfo {
  let info = made.get(pod);
  if (!info) made.set(pod, (info = makePodInfo(pod)));
  return info;
}

function makePodInfo(pod: Frozen<Pod>): PodInfo {
  const requests = podRequests(pod);
  return {
    pod, uid: pod.metadata.uid!, key: keyOf(pod), namespace: pod.metadata.namespace!, priority: pod.spec.priority ?? 0,
    requests, nonZero: nonZeroRequests(pod, requests),
    hostPorts: hostPortsOf(pod),
    claims: (pod.spec.volumes ?? []).flatMap(({ persistentVolumeClaim }) => (persistentVolumeClaim ? [`${pod.metadata.namespace}/${persistentVolumeClaim.claimName}`] : [])),
    affinity: affinitiesOf(pod),
  };
}

function affinitiesOf(pod: Frozen<Pod>): PodAffinities | undefined {
  const { podAffinity, podAntiAffinity } = pod.spec.affinity ?? {};
  if (!podAffinity && !podAntiAffinity) return undefined;
  const required = (terms: readonly Frozen<PodAffinityTerm>[] = []): AffinityTerm[] => terms.map((term) => parseAffinityTerm(term, pod));
  const preferred = (terms: readonly Frozen<WeightedPodAffinityTerm>[] = []): AffinityTerm[] => terms.map(({ podAffinityTerm, weight }) => parseAffinityTerm(podAffinityTerm, pod, weight));
  return {
    required: required(podAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
    requiredAnti: required(podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
    preferred: preferred(podAffinity?.preferredDuringSchedulingIgnoredDuringExecution),
    preferredAnti: preferred(podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution),
  };
}
