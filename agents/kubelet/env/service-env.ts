import type { Frozen } from "../../../src/apimachinery/meta.ts";
import type { Service } from "../../../src/apis/generated/core/v1.ts";

/** Variables of the services a pod sees, in the style of Docker links. Source: k8s.io/kubernetes/pkg/kubelet/envvars FromServices. */
export function serviceEnv(services: readonly Frozen<Service>[]): Record<string, string> {
  const env: Record<string, string> = {};
  for (const service of services) {
    const ip = service.spec.clusterIP;
    const first = service.spec.ports?.[0];
    if (!ip || ip === "None" || !first) continue;
    const prefix = service.metadata.name!.replaceAll("-", "_").toUpperCase();
    env[`${prefix}_SERVICE_HOST`] = ip;
    env[`${prefix}_SERVICE_PORT`] = String(first.port);
    for (const port of service.spec.ports ?? []) if (port.name) env[`${prefix}_SERVICE_PORT_${port.name.replaceAll("-", "_").toUpperCase()}`] = String(port.port);
    for (const [index, port] of (service.spec.ports ?? []).entries()) {
      const protocol = port.protocol ?? "TCP";
      const url = `${protocol.toLowerCase()}://${ip.includes(":") ? `[${ip}]` : ip}:${port.port}`;
      if (index === 0) env[`${prefix}_PORT`] = url;
      const link = `${prefix}_PORT_${port.port}_${protocol}`;
      env[link] = url;
      env[`${link}_PROTO`] = protocol.toLowerCase();
      env[`${link}_PORT`] = String(port.port);
      env[`${link}_ADDR`] = ip;
    }
  }
  return env;
}

/** The services whose variables a pod gets: those of its namespace when it wants links, and always `default/kubernetes`. */
export function visibleServices(services: readonly Frozen<Service>[], namespace: string, enableServiceLinks: boolean): Frozen<Service>[] {
  const master = (service: Frozen<Service>): boolean => service.metadata.namespace === "default" && service.metadata.name === "kubernetes";
  const chosen = services.filter((service) => master(service) || (enableServiceLinks && service.metadata.namespace === namespace));
  // One of the pod's own namespace named "kubernetes" wins over the API server's.
  return chosen.sort((a, b) => Number(master(b)) - Number(master(a)));
}
