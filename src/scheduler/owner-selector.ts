import type { Frozen } from "../apimachinery/meta.ts";
import { fromSet, matchesLabels, type Selector } from "../apimachinery/selectors/labels.ts";
import { replicasets, replicationcontrollers, services, statefulsets } from "../apis/builtins.ts";
import type { Pod } from "../apis/generated/core/v1.ts";
import { parseSelector } from "./affinity-term.ts";
import type { Handle } from "./framework.ts";

/**
 * What selects the pods that a pod is one of: its Services and its controller, together. Empty for a pod on its own.
 * Source: kubernetes plugins/helper/spread.go (DefaultSelector).
 */
export function ownerSelector({ lister }: Pick<Handle, "lister">): (pod: Frozen<Pod>) => Selector {
  const ofServices = lister(services), ofControllers = lister(replicationcontrollers), ofReplicaSets = lister(replicasets), ofStatefulSets = lister(statefulsets);
  const ofOwner = ({ metadata: { namespace, ownerReferences } }: Frozen<Pod>): { labels?: Readonly<Record<string, string>>; selector?: Selector } => {
    const owner = ownerReferences?.find(({ controller }) => controller);
    if (!owner) return {};
    const key = `${namespace}/${owner.name}`;
    switch (`${owner.apiVersion} ${owner.kind}`) {
      case "v1 ReplicationController": return { labels: ofControllers.get(key)?.spec.selector };
      case "apps/v1 ReplicaSet": return { selector: parseSelector(ofReplicaSets.get(key)?.spec.selector) };
      case "apps/v1 StatefulSet": return { selector: parseSelector(ofStatefulSets.get(key)?.spec.selector) };
      default: return {};
    }
  };
  return (pod) => {
    const labels: Record<string, string> = {};
    for (const { spec } of ofServices.list(pod.metadata.namespace)) if (spec.selector && matchesLabels(fromSet(spec.selector), pod.metadata.labels)) Object.assign(labels, spec.selector);
    const own = ofOwner(pod);
    const common = fromSet({ ...labels, ...own.labels });
    return own.selector === undefined || own.selector === "nothing" ? common : [...(common as readonly never[]), ...own.selector];
  };
}
