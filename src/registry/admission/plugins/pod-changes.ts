import { semanticEqual } from "../../../apimachinery/equality.ts";
import type { Frozen } from "../../../apimachinery/meta.ts";
import { compareQuantities, milliValue, value } from "../../../apimachinery/quantity.ts";
import { StatusError } from "../../../apimachinery/status.ts";
import { isRestartableInitContainer, podRequests } from "../../../apis/core/pod/resources.ts";
import type { Node, Pod } from "../../../apis/generated/core/v1.ts";
import type { Listers } from "../../listers.ts";
import { defineAdmission, type Admission, type AdmissionAttributes } from "../admission.ts";
import { refuse } from "../refuse.ts";

/** What both plugins look at: another spec of a pod that is on a node. */
function changedPod({ object, oldObject }: AdmissionAttributes): { pod: Frozen<Pod>; old: Frozen<Pod> } | undefined {
  const pod = object as Frozen<Pod>, old = oldObject as Frozen<Pod>;
  return pod.spec.nodeName && !semanticEqual(pod.spec, old.spec) ? { pod, old } : undefined;
}

function nodeOf(attributes: AdmissionAttributes, pod: Frozen<Pod>, listers: Listers): Frozen<Node> {
  const node = listers<Node>("", "nodes").get(pod.spec.nodeName!);
  if (!node) throw refuse(attributes, `node ${JSON.stringify(pod.spec.nodeName)} not found`);
  return node;
}

/** A pod is not resized beyond what its node has. Source: kubernetes plugin/pkg/admission/podresize. */
export function podResizeValidator({ listers }: { listers: Listers }): Admission {
  return defineAdmission({
    name: "PodResizeValidator",
    operations: ["UPDATE"],
    resources: ["pods/resize"],
    validate(attributes) {
      const { pod } = changedPod(attributes) ?? {};
      if (!pod) return;
      const node = nodeOf(attributes, pod, listers);
      const system = node.metadata.labels?.["kubernetes.io/os"] ?? "linux";
      if (system !== "linux") throw withCause(refuse(attributes, `pod resize is only supported on linux nodes, node ${JSON.stringify(node.metadata.name)} is ${JSON.stringify(system)}`), "UnsupportedPlatform");
      const missing = beyondAllocatable(pod, node);
      if (missing.length) throw withCause(refuse(attributes, `node didn't have enough allocatable resources: ${missing.join("; ")}`), "NodeCapacity");
    },
  });
}

function beyondAllocatable(pod: Frozen<Pod>, { status }: Frozen<Node>): string[] {
  const requests = podRequests(pod);
  return ([["cpu", milliValue], ["memory", value]] as const).flatMap(([name, amount]) => {
    const requested = requests[name] ?? "0", allocatable = status?.allocatable?.[name] ?? "0";
    return compareQuantities(requested, allocatable) > 0 ? [`${name}, requested: ${amount(requested)}, allocatable: ${amount(allocatable)}`] : [];
  });
}

const withCause = ({ status }: StatusError, reason: string): StatusError =>
  new StatusError({ ...status, details: { ...status.details, causes: [...status.details?.causes ?? [], { reason }] } });

/** Changes of a pod that a node's kubelet must know how to make. */
const neededFor: Readonly<Record<string, (pod: Frozen<Pod>, old: Frozen<Pod>) => boolean>> = {
  InPlacePodLevelResourcesVerticalScaling: (pod, old) => !semanticEqual(pod.spec.resources ?? null, old.spec.resources ?? null),
  InPlacePodVerticalScalingInitContainers: (pod, old) =>
    (old.spec.initContainers ?? []).some((container, index) => !isRestartableInitContainer(container) && !semanticEqual(container.resources ?? {}, pod.spec.initContainers?.[index]?.resources ?? {})),
};

/** A pod is not changed in a way that its node does not declare to support. Source: kubernetes plugin/pkg/admission/nodedeclaredfeatures, KEP-5328. */
export function nodeDeclaredFeatureValidator({ listers }: { listers: Listers }): Admission {
  return defineAdmission({
    name: "NodeDeclaredFeatureValidator",
    operations: ["UPDATE"],
    resources: ["pods", "pods/resize"],
    validate(attributes) {
      const { pod, old } = changedPod(attributes) ?? {};
      if (!pod || !old) return;
      const needed = Object.keys(neededFor).filter((feature) => neededFor[feature]!(pod, old));
      if (!needed.length) return;
      const node = nodeOf(attributes, pod, listers);
      const missing = needed.filter((feature) => !node.status?.declaredFeatures?.includes(feature));
      if (missing.length) throw refuse(attributes, `pod update requires features ${missing.join(", ")} which are not available on node ${JSON.stringify(node.metadata.name)}`);
    },
  });
}
