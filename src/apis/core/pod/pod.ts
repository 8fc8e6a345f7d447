import type { Frozen } from "../../../apimachinery/meta.ts";
import { defineResource } from "../../../apimachinery/resource.ts";
import type { Pod } from "../../generated/core/v1.ts";
import { podColumns } from "./columns.ts";
import { defaultPod } from "./defaults.ts";
import { prepareForCreate } from "./prepare.ts";
import { podResize } from "./resize.ts";
import { validatePodStatusUpdate, validatePodUpdate } from "./validation-update.ts";
import { validatePod } from "./validation.ts";
import { podWarnings } from "./warnings.ts";
export type { Pod, PodSpec, PodStatus } from "../../generated/core/v1.ts";

export const pods = defineResource<Pod>({
  group: "", version: "v1", kind: "Pod", resource: "pods", scope: "Namespaced", shortNames: ["po"], categories: ["all"],
  subresources: { status: true, others: ["attach", "binding", "ephemeralcontainers", "eviction", "exec", "log", "portforward", "proxy", "resize"] },
  schema: "io.k8s.api.core.v1.Pod",
  default: defaultPod,
  strategy: {
    resetFields: { status: [["spec"], ["metadata", "deletionTimestamp"], ["metadata", "ownerReferences"]] },
    prepareForCreate,
    /** Ephemeral containers change through their subresource alone. */
    prepareForUpdate(pod, old) {
      if (old.spec.ephemeralContainers) pod.spec.ephemeralContainers = structuredClone(old.spec.ephemeralContainers) as Pod["spec"]["ephemeralContainers"];
      else delete pod.spec.ephemeralContainers;
    },
    prepareForStatusUpdate(pod, old) {
      pod.status ??= {};
      // Set once, when the pod was made: it decided the pod's cgroup.
      if (old.status?.qosClass) pod.status.qosClass = old.status.qosClass;
    },
    validate: validatePod,
    validateUpdate: validatePodUpdate,
    validateStatusUpdate: validatePodStatusUpdate,
    views: { resize: podResize },
    warnings: (pod, old) => (old ? [] : podWarnings(pod)),
    gracePeriod,
  },
  fieldSelectors: {
    "spec.nodeName": (pod) => pod.spec.nodeName ?? "",
    "spec.restartPolicy": (pod) => pod.spec.restartPolicy ?? "",
    "spec.schedulerName": (pod) => pod.spec.schedulerName ?? "",
    "spec.serviceAccountName": (pod) => pod.spec.serviceAccountName ?? "",
    "spec.hostNetwork": (pod) => String(pod.spec.hostNetwork ?? false),
    "status.phase": (pod) => pod.status?.phase ?? "",
    "status.podIP": (pod) => pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP ?? "",
    "status.nominatedNodeName": (pod) => pod.status?.nominatedNodeName ?? "",
  },
  columns: podColumns,
  example: () => ({ apiVersion: "v1", kind: "Pod", metadata: { name: "example", namespace: "default" }, spec: { containers: [{ name: "main", image: "busybox:1.36" }] } }),
});

/** A pod that no kubelet looks after, or that has ended, needs no grace. */
function gracePeriod(pod: Frozen<Pod>, requested: number | undefined): number | undefined {
  const ended = pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
  if (!pod.spec.nodeName || ended) return 0;
  const seconds = requested ?? pod.spec.terminationGracePeriodSeconds ?? 30;
  return seconds < 0 ? 1 : seconds;
}
