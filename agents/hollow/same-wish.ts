import { isTerminal, type Pod } from "../kubelet/pod/pod.ts";

/** Whether nothing but what a kubelet itself reports has changed: most changes of a pod are its own. */
export function sameWish(before: Pod, after: Pod): boolean {
  const was = before.metadata, is = after.metadata;
  return was.deletionTimestamp === is.deletionTimestamp && was.deletionGracePeriodSeconds === is.deletionGracePeriodSeconds && was.generation === is.generation
    && isTerminal(before.status?.phase) === isTerminal(after.status?.phase)
    && Bun.deepEquals([was.labels, was.annotations, gates(before)], [is.labels, is.annotations, gates(after)])
    && (is.generation !== undefined || Bun.deepEquals(before.spec, after.spec));
}

const gates = (pod: Pod): unknown => pod.spec.readinessGates?.map(({ conditionType }) => pod.status?.conditions?.find(({ type }) => type === conditionType)?.status);
