import { milliValue, value } from "../../../src/apimachinery/quantity.ts";
import { matchesRequiredNodes, requiredNodes } from "../../../src/apis/core/node-selector.ts";
import { conflicts, hostPortsOf, type HostPort } from "../../../src/apis/core/pod/host-ports.ts";
import { podRequests } from "../../../src/apis/core/pod/resources.ts";
import { isExtendedResource } from "../../../src/apis/core/resource-names.ts";
import { untoleratedTaint } from "../../../src/apis/core/taints.ts";
import type { Frozen } from "../../../src/apimachinery/meta.ts";
import type { Taint } from "../../../src/apis/generated/core/v1.ts";
import { effectiveSecurityContext } from "../runtime/security-context.ts";
import { allContainers, type Pod } from "./pod.ts";
import { forbiddenSysctl } from "./sysctls.ts";

/** The node as a pod that comes to it must like it. */
export interface AdmittingNode {
  name: string;
  labels: Readonly<Record<string, string>>;
  taints: readonly Frozen<Taint>[];
  allocatable: Readonly<Record<string, string | number>>;
  /** Whether its runtime knows `supplementalGroupsPolicy: Strict`. */
  supplementalGroupsPolicy: boolean;
  /** Whether its kernel enforces AppArmor profiles. */
  appArmor: boolean;
}

/** The node as it was heard of last, and as the API has it now. */
export interface NodeSource {
  known(): AdmittingNode;
  fresh(): Promise<AdmittingNode>;
}

/** Why a node does not take a pod that was bound to it, as the pod's status and an Event say it. */
export interface Rejection {
  reason: string;
  message: string;
}

/** How much of a resource would have to become free: CPU in thousandths, everything else in whole units. */
export interface Shortage {
  resource: string;
  amount: number;
}

/** One reason not to take a pod; with a shortage where room could be made. */
export interface Failure extends Rejection {
  shortage?: Shortage;
}

interface Share {
  pod: Pod;
  amounts: ReadonlyMap<string, number>;
  ports: readonly HostPort[];
}

const firstResources = ["cpu", "memory", "ephemeral-storage"];

/** What the pods of one node take of it: decides, as a kubelet does when a pod comes, whether there is room for another. */
export class NodeRoom {
  readonly #shares = new Map<string, Share>();
  readonly #used = new Map<string, number>();

  /** Takes the room a pod needs, whether there is so much or not. */
  take(pod: Pod): void {
    const uid = pod.metadata.uid!;
    if (this.#shares.has(uid)) return;
    const share = { pod, amounts: requestsOf(pod), ports: hostPortsOf(pod) };
    this.#shares.set(uid, share);
    for (const [name, amount] of share.amounts) this.#used.set(name, (this.#used.get(name) ?? 0) + amount);
  }

  release(uid: string): void {
    const share = this.#shares.get(uid);
    if (!share) return;
    this.#shares.delete(uid);
    for (const [name, amount] of share.amounts) this.#used.set(name, this.#used.get(name)! - amount);
  }

  /** Gives a pod that has room what it asks for now; else says what is missing, and leaves it what it had. */
  resize(pod: Pod, node: AdmittingNode): readonly Failure[] {
    const uid = pod.metadata.uid!;
    const before = this.#shares.get(uid)?.pod;
    if (!before) return [];
    this.release(uid);
    const failures = this.#shortages(pod, amountsOf(node.allocatable));
    this.take(failures.length === 0 ? pod : before);
    return failures;
  }

  has(uid: string): boolean {
    return this.#shares.has(uid);
  }

  /** Those that have room, as they were when they took it. */
  pods(): Pod[] {
    return [...this.#shares.values()].map(({ pod }) => pod);
  }

  /** Takes the pod in, unless something speaks against it: what must be told comes first. Pods are judged in the order of the calls. */
  async admit(pod: Pod, node: NodeSource): Promise<readonly Failure[]> {
    let failures = this.failures(pod, node.known());
    // A pod may overtake the news of the label that brought it here.
    if (failures.length > 0 && failures.every(({ reason }) => reason === "NodeAffinity")) failures = this.failures(pod, await node.fresh());
    if (failures.length === 0) this.take(pod);
    return failures;
  }

  /** All that speaks against the pod. Source: k8s.io/kubernetes/pkg/kubelet/lifecycle/predicate.go, whose reasons and messages these are. */
  failures(pod: Pod, node: AdmittingNode): readonly Failure[] {
    const misfit = misfitOf(pod, node);
    if (misfit) return [misfit];
    const failures: Failure[] = this.#shortages(pod, amountsOf(node.allocatable));
    if (!matchesRequiredNodes(requiredNodes(pod), node)) failures.push(predicate("NodeAffinity", "node(s) didn't match Pod's node affinity/selector"));
    if (pod.spec.nodeName && pod.spec.nodeName !== node.name) failures.push(predicate("NodeName", "node(s) didn't match the requested node name"));
    if (this.#portTaken(pod)) failures.push(predicate("NodePorts", "node(s) didn't have free ports for the requested pod ports"));
    // What has only NoSchedule is the scheduler's affair.
    if (untoleratedTaint(node.taints.filter(({ effect }) => effect === "NoExecute"), pod.spec.tolerations)) failures.push(predicate("TaintToleration", "node(s) had taints that the pod didn't tolerate"));
    return failures;
  }

  #shortages(pod: Pod, allocatable: ReadonlyMap<string, number>): Failure[] {
    const wanted = requestsOf(pod), most = allocatable.get("pods") ?? 0;
    const shortages = this.#shares.size + 1 > most ? [short("pods", 1, this.#shares.size, most)] : [];
    const names = [...firstResources.filter((name) => wanted.has(name)), ...[...wanted.keys()].filter((name) => !firstResources.includes(name))];
    for (const name of names) {
      const requested = wanted.get(name)!, used = this.#used.get(name) ?? 0, capacity = allocatable.get(name);
      // Extended resources that the node does not know are the cluster's affair.
      if (requested === 0 || (capacity === undefined && isExtendedResource(name))) continue;
      if (requested > (capacity ?? 0) - used) shortages.push(short(name, requested, used, capacity ?? 0));
    }
    return shortages;
  }

  #portTaken(pod: Pod): boolean {
    const wanted = hostPortsOf(pod);
    if (wanted.length === 0) return false;
    return [...this.#shares.values()].some(({ ports }) => ports.some((taken) => wanted.some((port) => conflicts(port, taken))));
  }
}

/** What no room would help. */
function misfitOf(pod: Pod, node: AdmittingNode): Rejection | undefined {
  const { metadata, spec } = pod;
  const forbidden = forbiddenSysctl(pod);
  if (forbidden) return forbidden;
  if ((metadata.labels?.["kubernetes.io/os"] ?? "linux") !== "linux") return { reason: "PodOSSelectorNodeLabelDoesNotMatch", message: "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label" };
  if ((spec.os?.name ?? "linux") !== "linux") return { reason: "PodOSNotSupported", message: "Failed to admit pod as the OS field doesn't match node OS" };
  if (!node.appArmor && wantsAppArmor(pod)) return { reason: "AppArmor", message: "Cannot enforce AppArmor: AppArmor is not enabled on the host" };
  const strict = spec.securityContext?.supplementalGroupsPolicy === "Strict";
  return strict && !node.supplementalGroupsPolicy ? { reason: "SupplementalGroupsPolicyNotSupported", message: "SupplementalGroupsPolicy=Strict is not supported in this node" } : undefined;
}

const wantsAppArmor = (pod: Pod): boolean => allContainers(pod).some((container) => (effectiveSecurityContext(pod, container).appArmorProfile?.type ?? "Unconfined") !== "Unconfined");

const predicate = (name: string, description: string): Failure => ({ reason: name, message: `Predicate ${name} failed: ${description}` });

const short = (name: string, requested: number, used: number, capacity: number): Failure => ({
  reason: `OutOf${name}`, message: `Node didn't have enough resource: ${name}, requested: ${requested}, used: ${used}, capacity: ${capacity}`,
  shortage: { resource: name, amount: requested - (capacity - used) },
});

/** What a pod asks of its node: CPU in thousandths, everything else in whole units. */
export const requestsOf = (pod: Pod): Map<string, number> => amountsOf(podRequests(pod));

function amountsOf(list: Readonly<Record<string, string | number>>): Map<string, number> {
  return new Map(Object.entries(list).map(([name, amount]) => [name, name === "cpu" ? milliValue(amount) : value(amount)]));
}
