import { isIP } from "node:net";
import type { Frozen } from "../../src/apimachinery/meta.ts";
import type { Pod } from "../../src/apis/generated/core/v1.ts";
import type { PolicyPod } from "./compiled.ts";
import type { Protocol } from "./rules.ts";

/**
 * Pods by `namespace/name`: as the API shows them, and those of this node from the moment they have an address,
 * which is before their first container starts and well before the API shows it.
 */
export class KnownPods {
  readonly #announced = new Map<string, { pod: Frozen<Pod>; ips: readonly string[] }>();
  constructor(private readonly nodeName: string) {}

  /** A pod of this node has these addresses now, whatever the API says. */
  announce(key: string, pod: Frozen<Pod>, ips: readonly string[]): PolicyPod | undefined {
    this.#announced.set(key, { pod, ips });
    return asPolicyPod(pod, ips, this.nodeName);
  }

  /** What the API shows now, after `old`. The result is undefined when the pod has no part in any policy, or is gone. */
  update(key: string, old: Frozen<Pod> | undefined, current: Frozen<Pod> | undefined): PolicyPod | undefined {
    const announced = this.#announced.get(key);
    // This view may lag behind the kubelet's: what it says of a former pod of that name doesn't matter any more.
    if (announced && isFormer(current ?? old!, announced.pod)) return asPolicyPod(announced.pod, announced.ips, this.nodeName);
    if (!current || announced?.pod.metadata.uid !== current.metadata.uid) this.#announced.delete(key);
    if (!current) return undefined;
    const shown = (current.status?.podIPs ?? []).map(({ ip }) => ip);
    const ips = this.#announced.get(key)?.ips;
    if (ips && sameAddresses(shown, ips)) this.#announced.delete(key);
    return asPolicyPod(current, ips ?? shown, this.nodeName);
  }
}

const isFormer = (a: Frozen<Pod>, b: Frozen<Pod>): boolean => a.metadata.uid !== b.metadata.uid && Date.parse(a.metadata.creationTimestamp ?? "") <= Date.parse(b.metadata.creationTimestamp ?? "");
const sameAddresses = (a: readonly string[], b: readonly string[]): boolean => a.length === b.length && a.every((ip) => b.includes(ip));

/** Undefined for pods that have no address of their own: none yet, the node's, or none any more because they have ended. */
function asPolicyPod(pod: Frozen<Pod>, addresses: readonly string[], nodeName: string): PolicyPod | undefined {
  const { metadata, spec, status } = pod;
  const ips = addresses.filter((ip) => isIP(ip));
  if (spec.hostNetwork || !ips.length || status?.phase === "Succeeded" || status?.phase === "Failed") return undefined;
  const containers = [...spec.containers, ...(spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === "Always")];
  const ports = containers.flatMap((container) => (container.ports ?? []).flatMap(({ name, protocol = "TCP", containerPort }) => (name ? [{ name, protocol: protocol.toLowerCase() as Protocol, port: containerPort }] : [])));
  return { namespace: metadata.namespace!, labels: metadata.labels ?? {}, ips, local: spec.nodeName === nodeName, ports };
}
