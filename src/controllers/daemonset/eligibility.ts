import { semanticEqual } from "../../apimachinery/equality.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { matchesRequiredNodes, namedLabels, requiredNodes } from "../../apis/core/node-selector.ts";
import { isTolerated } from "../../apis/core/taints.ts";
import type { DaemonSet } from "../../apis/generated/apps/v1.ts";
import type { Node, Pod, PodSpec, Toleration } from "../../apis/generated/core/v1.ts";

/** Which nodes are a DaemonSet's. Source: NodeShouldRunDaemonPod of Kubernetes' DaemonSet controller. */

export interface Eligible {
  /** A pod belongs there. */
  run: boolean;
  /** One that is there already may stay: only NoExecute drives it away. */
  stay: boolean;
}

const lasting = (key: string, effect: Toleration["effect"]): Toleration => ({ key: `node.kubernetes.io/${key}`, operator: "Exists", effect });

/** Daemons are wanted on nodes in trouble: the node lifecycle's taints don't touch them. */
const ownTolerations = [
  lasting("not-ready", "NoExecute"), lasting("unreachable", "NoExecute"),
  lasting("disk-pressure", "NoSchedule"), lasting("memory-pressure", "NoSchedule"), lasting("pid-pressure", "NoSchedule"), lasting("unschedulable", "NoSchedule"),
];
const hostNetworkToleration = lasting("network-unavailable", "NoSchedule");

/** The template's tolerations with those that every daemon pod has. One that differs only in tolerationSeconds is replaced. */
export function daemonTolerations(spec: Frozen<PodSpec>): Toleration[] {
  const same = (a: Frozen<Toleration>, b: Frozen<Toleration>): boolean => a.key === b.key && a.effect === b.effect && a.operator === b.operator && (a.value ?? "") === (b.value ?? "");
  return (spec.hostNetwork ? [...ownTolerations, hostNetworkToleration] : ownTolerations).reduce<Toleration[]>((all, own) => {
    const at = all.findIndex((toleration) => same(toleration, own));
    return at < 0 ? [...all, { ...own }] : all.with(at, { ...own });
  }, (spec.tolerations ?? []).map((toleration) => ({ ...toleration })));
}

/** Answers for many nodes: what depends on the DaemonSet alone is worked out once. */
export function eligibility(ds: Frozen<DaemonSet>): (node: Frozen<Node>) => Eligible {
  const spec = ds.spec?.template?.spec ?? { containers: [] };
  const tolerations = daemonTolerations(spec as Frozen<PodSpec>);
  const required = requiredNodes({ spec } as Frozen<Pod>);
  const bears = (node: Frozen<Node>, effects: readonly string[]): boolean =>
    (node.spec?.taints ?? []).every((taint) => !effects.includes(taint.effect) || isTolerated(taint, tolerations));
  return (node) => {
    const fits = (!spec.nodeName || spec.nodeName === node.metadata.name) && matchesRequiredNodes(required, namedLabels(node));
    if (!fits) return { run: false, stay: false };
    const run = bears(node, ["NoSchedule", "NoExecute"]);
    return { run, stay: run || bears(node, ["NoExecute"]) };
  };
}

/** Whether a node changed in what eligibility looks at; most changes are heartbeats. */
export const sameToDaemons = (a: Frozen<Node>, b: Frozen<Node>): boolean => semanticEqual(a.metadata.labels, b.metadata.labels) && semanticEqual(a.spec?.taints, b.spec?.taints);
