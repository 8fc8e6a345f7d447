import type { Binding, Node, Pod } from "../../../apis/generated/core/v1.ts";
import type { Listers } from "../../listers.ts";
import { defineAdmission, type Admission } from "../admission.ts";

const topologyLabels = ["topology.kubernetes.io/zone", "topology.kubernetes.io/region"];

/** Pods carry the zone and region of their node, from when they are bound to it. Source: kubernetes plugin/pkg/admission/podtopologylabels. */
export function podTopologyLabels({ listers }: { listers: Listers }): Admission {
  const nodes = listers<Node>("", "nodes");
  return defineAdmission({
    name: "PodTopologyLabels",
    operations: ["CREATE"],
    resources: ["pods", "pods/binding"],
    admit({ subresource, object }) {
      const target = (object as Binding).target;
      const nodeName = subresource === "" ? (object as Pod).spec?.nodeName : target?.kind === "Node" ? target.name : undefined;
      const labels = nodeName ? nodes.get(nodeName)?.metadata.labels : undefined;
      for (const key of topologyLabels) if (labels?.[key] !== undefined) ((object!.metadata ??= {}).labels ??= {})[key] = labels[key];
    },
  });
}
