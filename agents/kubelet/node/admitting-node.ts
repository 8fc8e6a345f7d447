import type { Frozen } from "../../../src/apimachinery/meta.ts";
import type { Node, Taint } from "../../../src/apis/generated/core/v1.ts";
import type { AdmittingNode } from "../pod/admission.ts";

/** What the kubelet itself knows of its node, whatever the API has. */
export interface OwnNode {
  name: string;
  /** With which it registers. */
  labels: Readonly<Record<string, string>>;
  taints: readonly Taint[];
  allocatable: Readonly<Record<string, string>>;
  appArmor: boolean;
  /** Resources that are given as devices, one by one: how many there are is judged then. */
  isDevice(resource: string): boolean;
}

/** The node as pods are judged by it: as the API has it, with what others added to its resources. Before it is registered, as it will be. */
export function admittingNode(own: OwnNode, node: Frozen<Node> | undefined): AdmittingNode {
  const { name, labels, taints, allocatable, appArmor } = own;
  if (!node) return { name, labels, taints, allocatable, appArmor, supplementalGroupsPolicy: false };
  const { metadata, spec, status } = node;
  return {
    appArmor, name, labels: metadata.labels ?? {}, taints: spec?.taints ?? [], allocatable: { ...Object.fromEntries(Object.entries(status?.allocatable ?? {}).filter(([resource]) => !own.isDevice(resource))), ...allocatable },
    supplementalGroupsPolicy: status?.features?.supplementalGroupsPolicy ?? false,
  };
}
