import { qosClassOf, type QOSClass } from "../../../src/apis/core/pod/qos.ts";
import { isMirrorPod, isStaticPod } from "../static-pods/static-pod.ts";
import { requestsOf, type Shortage } from "./admission.ts";
import type { Pod } from "./pod.ts";

export const systemCriticalPriority = 2_000_000_000;

/** Whether the node makes room for the pod at other pods' expense. */
export const isCritical = (pod: Pod): boolean => (pod.spec.priority ?? 0) >= systemCriticalPriority || isStaticPod(pod) || isMirrorPod(pod);

interface Victim {
  pod: Pod;
  requests: ReadonlyMap<string, number>;
}

type Needs = ReadonlyMap<string, number>;

/**
 * The pods that must go to make room for a critical one: as few as possible, and guaranteed ones only where burstable and best-effort ones
 * don't suffice. Undefined when all together don't. Source: k8s.io/kubernetes/pkg/kubelet/preemption/preemption.go.
 */
export function podsToPreempt(critical: Pod, pods: readonly Pod[], shortages: readonly Shortage[]): readonly Pod[] | undefined {
  const needs: Needs = new Map(shortages.map(({ resource, amount }) => [resource, amount]));
  const candidates = pods.filter((pod) => yieldsTo(critical, pod));
  const ofClass = (wanted: QOSClass): Victim[] => candidates.filter((pod) => qosClassOf(pod) === wanted).map((pod) => ({ pod, requests: requestsOf(pod).set("pods", 1) }));
  const [bestEffort, burstable, guaranteed] = [ofClass("BestEffort"), ofClass("Burstable"), ofClass("Guaranteed")];
  if (less(needs, [...bestEffort, ...burstable, ...guaranteed]).size > 0) return undefined;
  const lastly = fewest(guaranteed, less(needs, [...bestEffort, ...burstable]));
  const then = fewest(burstable, less(needs, [...bestEffort, ...lastly]));
  const first = fewest(bestEffort, less(needs, [...then, ...lastly]));
  return [...first, ...then, ...lastly].map(({ pod }) => pod);
}

function yieldsTo(critical: Pod, pod: Pod): boolean {
  return !isCritical(pod) || (critical.spec.priority ?? 0) > (pod.spec.priority ?? 0);
}

/** What is still needed when these have gone. */
function less(needs: Needs, victims: readonly Victim[]): Needs {
  return new Map([...needs].map(([name, amount]) => [name, victims.reduce((rest, { requests }) => rest - (requests.get(name) ?? 0), amount)] as const).filter(([, rest]) => rest > 0));
}

/** One after the other the victim that leaves least to be wished for, and of equals the smaller. There must be enough of them. */
function fewest(victims: readonly Victim[], needs: Needs): Victim[] {
  const left = [...victims], chosen: Victim[] = [];
  for (let rest = needs; rest.size > 0; rest = less(rest, chosen.slice(-1))) {
    const best = left.reduce((one, other) => (byDistance(rest, other, one) <= 0 ? other : one));
    left.splice(left.indexOf(best), 1);
    chosen.push(best);
  }
  return chosen;
}

function byDistance(needs: Needs, a: Victim, b: Victim): number {
  const amount = ({ requests }: Victim, name: string): number => requests.get(name) ?? 0;
  return distance(needs, a) - distance(needs, b) || amount(a, "memory") - amount(b, "memory") || amount(a, "cpu") - amount(b, "cpu");
}

/** Each need counts the same, by the share of it that would remain. */
const distance = (needs: Needs, { requests }: Victim): number => [...needs].reduce((sum, [name, need]) => sum + (Math.max(0, need - (requests.get(name) ?? 0)) / need) ** 2, 0);
