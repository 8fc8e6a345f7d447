import { milliValue, value } from "../../src/apimachinery/quantity.ts";
import { podRequests } from "../../src/apis/core/pod/resources.ts";
import { allContainers, type Pod } from "../kubelet/pod/pod.ts";

/** Why a node does not take a pod that was bound to it. */
export interface Rejection {
  reason: string;
  message: string;
}

interface Share {
  amounts: ReadonlyMap<string, number>;
  ports: readonly HostPort[];
}

interface HostPort { ip: string; protocol: string; port: number }

const order = ["cpu", "memory", "ephemeral-storage"];

/** What the pods of one node take of it: decides, as a kubelet does when a pod comes, whether there is room for another. */
export class NodeRoom {
  readonly #shares = new Map<string, Share>();
  readonly #used = new Map<string, number>();
  readonly #ports: HostPort[] = [];

  /** Takes the room a pod needs, whether there is so much or not. */
  take(pod: Pod): void {
    const uid = pod.metadata.uid!;
    if (this.#shares.has(uid)) return;
    const share = { amounts: amountsOf(podRequests(pod)), ports: hostPorts(pod) };
    this.#shares.set(uid, share);
    for (const [name, amount] of share.amounts) this.#used.set(name, (this.#used.get(name) ?? 0) + amount);
    this.#ports.push(...share.ports);
  }

  release(uid: string): void {
    const share = this.#shares.get(uid);
    if (!share) return;
    this.#shares.delete(uid);
    for (const [name, amount] of share.amounts) this.#used.set(name, this.#used.get(name)! - amount);
    for (const port of share.ports) this.#ports.splice(this.#ports.indexOf(port), 1);
  }

  /** The first reason not to take the pod. Source: k8s.io/kubernetes/pkg/kubelet/lifecycle/predicate.go, whose reasons and messages these are. */
  refusal(pod: Pod, allocatable: Readonly<Record<string, string | number>>): Rejection | undefined {
    const most = amountsOf(allocatable), wanted = amountsOf(podRequests(pod));
    if (this.#shares.size + 1 > (most.get("pods") ?? 0)) return short("pods", 1, this.#shares.size, most.get("pods") ?? 0);
    const names = [...order.filter((name) => wanted.has(name)), ...[...wanted.keys()].filter((name) => !order.includes(name))];
    for (const name of names) {
      const requested = wanted.get(name)!, used = this.#used.get(name) ?? 0, capacity = most.get(name);
      // Extended resources that the node does not know are the cluster's affair.
      if (capacity === undefined && name.includes("/")) continue;
      if (requested > 0 && requested > (capacity ?? 0) - used) return short(name, requested, used, capacity ?? 0);
    }
    if (hostPorts(pod).some((port) => this.#ports.some((taken) => clash(port, taken)))) return { reason: "NodePorts", message: "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports" };
    return undefined;
  }
}

const short = (name: string, requested: number, used: number, capacity: number): Rejection =>
  ({ reason: `OutOf${name}`, message: `Node didn't have enough resource: ${name}, requested: ${requested}, used: ${used}, capacity: ${capacity}` });

/** CPU in thousandths, everything else in whole units. */
function amountsOf(list: Readonly<Record<string, string | number>>): Map<string, number> {
  return new Map(Object.entries(list).map(([name, amount]) => [name, name === "cpu" ? milliValue(amount) : value(amount)]));
}

function hostPorts(pod: Pod): HostPort[] {
  return allContainers(pod).flatMap(({ ports = [] }) => ports.filter(({ hostPort }) => hostPort).map(({ hostPort, hostIP, protocol }) => ({ ip: hostIP || "0.0.0.0", protocol: protocol ?? "TCP", port: hostPort! })));
}

const clash = (a: HostPort, b: HostPort): boolean => a.port === b.port && a.protocol === b.protocol && (a.ip === b.ip || a.ip === "0.0.0.0" || b.ip === "0.0.0.0");
