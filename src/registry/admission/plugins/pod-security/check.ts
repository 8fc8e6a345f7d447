import type { Frozen } from "../../../../apimachinery/meta.ts";
import type { Container, PodSpec, SecurityContext } from "../../../../apis/generated/core/v1.ts";

/** What is checked: a pod, or the template of one. */
export interface PodView {
  annotations: Readonly<Record<string, string>>;
  spec: Frozen<PodSpec>;
}

/** Why a pod does not meet a control: in a word or two, and in detail. */
export interface Violation {
  reason: string;
  detail: string;
}

export type CheckPod = (pod: PodView) => Violation | undefined;

/** One control of the Pod Security Standards. Source: k8s.io/pod-security-admission/policy. */
export interface Check {
  id: string;
  /** By the minor version since which each holds, rising. */
  versions: readonly { since: number; check: CheckPod }[];
  /** Controls of the baseline level that a restricted one stands for, from its first version on. */
  overrides?: string;
}

export const quoted = (items: Iterable<string>): string => [...items].map((item) => `"${item}"`).join(", ");
export const sorted = (items: Iterable<string>): string[] => [...new Set(items)].sort();
export const plural = (word: string, count: number): string => (count === 1 ? word : `${word}s`);
/** `container "a"`, `containers "a", "b"`. */
export const named = (names: readonly string[], what = "container"): string => `${plural(what, names.length)} ${quoted(names)}`;

/** All containers in the order of Kubernetes' own messages. */
export const containersOf = ({ spec }: PodView): readonly Frozen<Container>[] => [...spec.initContainers ?? [], ...spec.containers ?? [], ...(spec.ephemeralContainers ?? []) as unknown as readonly Frozen<Container>[]];

export const namesWhere = (pod: PodView, bad: (container: Frozen<Container>) => boolean): string[] => containersOf(pod).filter(bad).map(({ name }) => name);

/** Who sets something bad: `pod`, `containers "a", "b"`, or both; empty when nobody does. */
export function settersOf(pod: PodView, podSets: boolean, bad: (context: Frozen<SecurityContext>) => boolean): string {
  const names = namesWhere(pod, ({ securityContext }) => securityContext !== undefined && bad(securityContext));
  return [...(podSets ? ["pod"] : []), ...(names.length ? [named(names)] : [])].join(" and ");
}

export const inUserNamespace = ({ spec }: PodView): boolean => spec.hostUsers === false;
/** Controls of Linux alone don't bind pods that say they are for Windows. */
export const notOnWindows = (check: CheckPod): CheckPod => (pod) => (pod.spec.os?.name === "windows" ? undefined : check(pod));
export const notInUserNamespace = (check: CheckPod): CheckPod => (pod) => (inUserNamespace(pod) ? undefined : check(pod));
