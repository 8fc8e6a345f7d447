import { Protocol, type PodSandboxConfig, type PortMapping } from "../../cri/generated/messages.ts";
import { podDns, type ClusterDns, type ResolvConf } from "../network/dns.ts";
import { sandboxHostname } from "../network/hostname.ts";
import { allContainers, isHostNetwork, type Pod } from "../pod/pod.ts";
import { withDots } from "../pod/sysctls.ts";
import { sandboxAnnotations, sandboxLabels } from "./labels.ts";
import { sandboxSecurityContext } from "./security-context.ts";

export interface SandboxSettings {
  attempt: number;
  logDirectory: string;
  cgroupParent: string;
  seccompRoot: string;
  clusterDns: ClusterDns;
  nodeResolvConf: ResolvConf;
}

export function sandboxConfig(pod: Pod, settings: SandboxSettings): PodSandboxConfig {
  const { name, namespace, uid } = pod.metadata;
  return {
    metadata: { name, namespace, uid, attempt: settings.attempt },
    hostname: sandboxHostname(pod, settings.clusterDns.domain),
    logDirectory: settings.logDirectory,
    dnsConfig: podDns(pod, settings.clusterDns, settings.nodeResolvConf),
    portMappings: portMappings(pod),
    labels: sandboxLabels(pod),
    annotations: sandboxAnnotations(pod),
    linux: {
      cgroupParent: settings.cgroupParent,
      securityContext: sandboxSecurityContext(pod, settings.seccompRoot),
      sysctls: Object.fromEntries((pod.spec.securityContext?.sysctls ?? []).map(({ name: key, value }) => [withDots(key), value])),
    },
  };
}

/** `namespace_name_uid`, below which each container has its folder of logs. */
export const podLogFolder = (pod: { namespace: string; name: string; uid: string }): string => `${pod.namespace}_${pod.name}_${pod.uid}`;

function portMappings(pod: Pod): PortMapping[] {
  if (isHostNetwork(pod)) return [];
  return allContainers(pod).flatMap((container) => container.ports ?? []).filter((port) => port.hostPort).map((port) => ({
    protocol: Protocol[port.protocol ?? "TCP"], containerPort: port.containerPort, hostPort: port.hostPort, hostIp: port.hostIP ?? "",
  }));
}
