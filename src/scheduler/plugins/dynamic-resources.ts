import { definePlugin, unresolvable, unschedulable } from "../framework.ts";

/** Devices aren't allocated: pods that claim some wait for a scheduler that does it. The message of the others is kube-scheduler's. */
export const dynamicResources = definePlugin({
  name: "DynamicResources",
  events: () => [{ resource: "Pod", actions: ["UpdatePodGeneratedResourceClaim"] }],
  preFilter: ({ pod }) => (pod.spec.resourceClaims?.length ? { rejected: unresolvable("resource claims of pods are not supported") } : { skip: true }),
  // Where a preFilter before its own has rejected the pod, kube-scheduler's misses what its own would have left, and says no more than this.
  postFilter: (_, { prepared }) => ({ status: prepared("DynamicResources") ? unschedulable("no new claims to deallocate") : { code: "Error", reasons: ["not found"] } }),
});
