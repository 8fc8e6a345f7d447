import type { Frozen } from "../../../src/apimachinery/meta.ts";
import type { NodeStatus } from "../../../src/apis/generated/core/v1.ts";
import { isExtendedResource } from "../../../src/apis/core/resource-names.ts";

/**
 * An administrator gives a node extended resources by writing them to its capacity; what pods may ask for follows. Returns what is to change
 * in `allocatable` as a merge patch: null for a resource that was taken back, nothing when all has followed. What the kubelet itself tells of
 * (`own`) follows nobody.
 * Source: https://kubernetes.io/docs/tasks/administer-cluster/extended-resource-node/.
 */
export function allocatableToFollow({ capacity = {}, allocatable = {} }: Frozen<NodeStatus> = {}, own: Readonly<Record<string, string>> = {}): Record<string, string | null> {
  const isOthers = (name: string): boolean => isExtendedResource(name) && !Object.hasOwn(own, name);
  const given = Object.entries(capacity).filter(([name, amount]) => isOthers(name) && allocatable[name] !== amount);
  const takenBack = Object.keys(allocatable).filter((name) => isOthers(name) && capacity[name] === undefined);
  return Object.fromEntries([...given, ...takenBack.map((name) => [name, null])]);
}

export const hasToFollow = (status: Frozen<NodeStatus> | undefined, own?: Readonly<Record<string, string>>): boolean => Object.keys(allocatableToFollow(status, own)).length > 0;
