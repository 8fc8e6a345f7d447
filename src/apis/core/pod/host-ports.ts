import type { Frozen } from "../../../apimachinery/meta.ts";
import type { Container, Pod } from "../../generated/core/v1.ts";
import { isRestartableInitContainer } from "./resources.ts";

export interface HostPort {
  readonly protocol: string;
  readonly port: number;
  /** `0.0.0.0` for all addresses. */
  readonly ip: string;
}

const anyAddress = "0.0.0.0";

/** Two pods of a node can't have both. */
export const conflicts = (a: HostPort, b: HostPort): boolean => a.port === b.port && a.protocol === b.protocol && (a.ip === b.ip || a.ip === anyAddress || b.ip === anyAddress);

/** Of containers and sidecars; other init containers are gone when the pod serves. */
export function hostPortsOf({ spec }: Frozen<Pod>): readonly HostPort[] {
  const ports: HostPort[] = [];
  const collect = (container: Frozen<Container>): void => {
    for (const { hostPort, protocol = "TCP", hostIP } of container.ports ?? []) if (hostPort) ports.push({ protocol, port: hostPort, ip: hostIP || anyAddress });
  };
  spec.containers.forEach(collect);
  for (const container of spec.initContainers ?? []) if (isRestartableInitContainer(container)) collect(container);
  return ports;
}
