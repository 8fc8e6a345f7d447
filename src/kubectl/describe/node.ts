import { addQuantities, formatQuantity, milliValue, parseQuantity, value, type Quantity } from "../../apimachinery/quantity.ts";
import type { Lease } from "../../apis/generated/coordination/v1.ts";
import type { Node, Pod } from "../../apis/generated/core/v1.ts";
import { ageOf, dateText } from "../times.ts";
import type { Description } from "./description.ts";

const rolePrefix = "node-role.kubernetes.io/";

/** `lease` and `pods` are undefined when they may not be read. */
export function describeNode(text: Description, { metadata = {}, spec, status }: Node, lease: Lease | undefined, pods: readonly Pod[] | undefined): void {
  text.line(0, `Name:\t${metadata.name}`);
  text.line(0, `Roles:\t${Object.keys(metadata.labels ?? {}).filter((label) => label.startsWith(rolePrefix)).map((label) => label.slice(rolePrefix.length)).sort().join(",") || "<none>"}`);
  text.labels("Labels", metadata.labels).annotations(metadata.annotations).line(0, `CreationTimestamp:\t${dateText(metadata.creationTimestamp)}`);
  text.entries("Taints", (spec?.taints ?? []).map(({ key, value: is, effect }) => `${key}${is ? `=${is}` : ""}:${effect}`)).line(0, `Unschedulable:\t${spec?.unschedulable ?? false}`);
  text.line(0, "Lease:");
  text.line(1, `HolderIdentity:\t${lease?.spec?.holderIdentity ?? "<unset>"}`).line(1, `AcquireTime:\t${lease?.spec?.acquireTime ? dateText(lease.spec.acquireTime) : "<unset>"}`).line(1, `RenewTime:\t${lease?.spec?.renewTime ? dateText(lease.spec.renewTime) : "<unset>"}`);
  if (status?.conditions?.length) text.line(0, "Conditions:").line(1, "Type\tStatus\tLastHeartbeatTime\tLastTransitionTime\tReason\tMessage").line(1, "----\t------\t-----------------\t------------------\t------\t-------");
  for (const each of status?.conditions ?? []) text.line(1, `${each.type} \t${each.status} \t${dateText(each.lastHeartbeatTime)} \t${dateText(each.lastTransitionTime)} \t${each.reason ?? ""} \t${each.message ?? ""}`);
  text.line(0, "Addresses:");
  for (const { type, address } of status?.addresses ?? []) text.line(1, `${type}:\t${address}`);
  for (const [title, quantities] of [["Capacity", status?.capacity], ["Allocatable", status?.allocatable]] as const) {
    const entries = Object.entries(quantities ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
    if (entries.length) text.line(0, `${title}:`);
    for (const [name, quantity] of entries) text.line(1, `${name}:\t${quantity}`);
  }
  const info = status?.nodeInfo;
  text.line(0, "System Info:");
  for (const [label, is] of [
    ["Machine ID", info?.machineID], ["System UUID", info?.systemUUID], ["Boot ID", info?.bootID], ["Kernel Version", info?.kernelVersion], ["OS Image", info?.osImage], ["Operating System", info?.operatingSystem],
    ["Architecture", info?.architecture], ["Container Runtime Version", info?.containerRuntimeVersion], ["Kubelet Version", info?.kubeletVersion],
  ] as const) text.line(1, `${label}:\t${is ?? ""}`);
  text.field(0, "PodCIDR", spec?.podCIDR).field(0, "PodCIDRs", spec?.podCIDRs?.join(",")).field(0, "ProviderID", spec?.providerID);
  if (pods) describePods(text, pods.filter(({ status: is }) => is?.phase !== "Succeeded" && is?.phase !== "Failed"), status?.allocatable ?? status?.capacity ?? {});
  else text.line(0, "Pods:\tnot authorized");
}

type Quantities = Record<string, Quantity>;

function describePods(text: Description, pods: readonly Pod[], allocatable: Record<string, string | number>): void {
  text.line(0, `Non-terminated Pods:\t(${pods.length} in total)`);
  text.line(1, "Namespace\tName\t\tCPU Requests\tCPU Limits\tMemory Requests\tMemory Limits\tAge").line(1, "---------\t----\t\t------------\t----------\t---------------\t-------------\t---");
  const share = (of: Quantities, name: string): string => `${formatQuantity(of[name] ?? zero)} (${percent(of[name] ?? zero, allocatable[name], name)}%)`;
  const requests: Quantities = {}, limits: Quantities = {};
  for (const pod of pods) {
    const wants = { requests: resourcesOf(pod, "requests"), limits: resourcesOf(pod, "limits") };
    for (const [total, part] of [[requests, wants.requests], [limits, wants.limits]] as const) for (const [name, quantity] of Object.entries(part)) total[name] = addQuantities(total[name] ?? zero, quantity);
    text.line(1, `${pod.metadata!.namespace}\t${pod.metadata!.name}\t\t${share(wants.requests, "cpu")}\t${share(wants.limits, "cpu")}\t${share(wants.requests, "memory")}\t${share(wants.limits, "memory")}\t${ageOf(pod.metadata!.creationTimestamp)}`);
  }
  text.line(0, "Allocated resources:").line(0, "  (Total limits may be over 100 percent, i.e., overcommitted.)").line(1, "Resource\tRequests\tLimits").line(1, "--------\t--------\t------");
  const huge = Object.keys(allocatable).filter((name) => name.startsWith("hugepages-")).sort();
  for (const name of ["cpu", "memory", "ephemeral-storage", ...huge]) text.line(1, `${name}\t${share(requests, name)}\t${share(limits, name)}`);
  for (const name of Object.keys(allocatable).filter((each) => each.includes("/")).sort()) text.line(1, `${name}\t${formatQuantity(requests[name] ?? zero)}\t${formatQuantity(limits[name] ?? zero)}`);
}

const zero: Quantity = parseQuantity("0");

function percent(quantity: Quantity, of: string | number | undefined, name: string): number {
  if (of === undefined) return 0;
  const measure = name === "cpu" ? milliValue : value;
  const whole = measure(of);
  return whole ? Math.trunc((measure(quantity) / whole) * 100) : 0;
}

/** What a pod asks for: its containers together, or the largest of its init containers, and the overhead. */
function resourcesOf({ spec }: Pod, which: "requests" | "limits"): Quantities {
  const sum: Quantities = {};
  const add = (quantities: Record<string, string | number> | undefined): void => {
    for (const [name, quantity] of Object.entries(quantities ?? {})) sum[name] = addQuantities(sum[name] ?? zero, quantity);
  };
  for (const container of [...spec!.containers, ...(spec!.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === "Always")]) add(container.resources?.[which]);
  for (const container of (spec!.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy !== "Always")) {
    for (const [name, quantity] of Object.entries(container.resources?.[which] ?? {})) if (value(quantity) > value(sum[name] ?? zero)) sum[name] = parseQuantity(quantity);
  }
  if (Object.keys(sum).length) add(spec!.overhead);
  return sum;
}
