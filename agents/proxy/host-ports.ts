import type { Frozen } from "../../src/apimachinery/meta.ts";
import type { Pod } from "../../src/apis/generated/core/v1.ts";
import type { EndpointAddress } from "./endpoints.ts";
import { canonical, type IpFamily, ofFamily } from "./family.ts";
import type { Protocol } from "./service-ports.ts";

/** A port of the node that leads to a pod. */
export interface HostPort {
  protocol: Protocol;
  /** Empty for all addresses of the node. */
  hostIp: string;
  hostPort: number;
  endpoint: EndpointAddress;
}

const everyAddress: Record<IpFamily, string> = { IPv4: "0.0.0.0", IPv6: "::" };

/** The host ports of a pod that runs. Pods on the host's network need none. */
export function hostPorts(pod: Frozen<Pod>, family: IpFamily): HostPort[] {
  const [ip] = ofFamily(family, (pod.status?.podIPs ?? []).map((address) => address.ip));
  if (pod.spec.hostNetwork || !ip || pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed") return [];
  return hostPortsOf(pod).flatMap(({ protocol = "TCP", hostIP = "", hostPort, containerPort }) => {
    const hostIp = canonical(hostIP), everywhere = hostIp === "" || Object.values(everyAddress).includes(hostIp);
    // `::` is all addresses of both families, as a listening socket has it; 0.0.0.0 is those of one.
    if (everywhere ? hostIp === everyAddress.IPv4 && family !== "IPv4" : ofFamily(family, [hostIp]).length === 0) return [];
    return [{ protocol: protocol.toLowerCase() as Protocol, hostIp: everywhere ? "" : hostIp, hostPort: hostPort!, endpoint: { ip: canonical(ip), port: containerPort } }];
  });
}

const hostPortsOf = ({ spec }: Frozen<Pod>) =>
  [...spec.containers, ...(spec.initContainers ?? []).filter((container) => container.restartPolicy === "Always")].flatMap(({ ports = [] }) => ports.filter(({ hostPort }) => hostPort));

export const hasHostPorts = (pod: Frozen<Pod> | undefined): boolean => pod !== undefined && !pod.spec.hostNetwork && hostPortsOf(pod).length > 0;
