import type { EndpointSlice } from "../apis/generated/discovery/v1.ts";
import type { Service } from "../apis/generated/core/v1.ts";
import type { Listers } from "./listers.ts";

export interface ServiceAddress {
  host: string;
  port: number;
}

/**
 * One ready endpoint behind a port of a Service, at random; throws an Error that says what is missing. Going to the endpoint itself needs no
 * Service proxy on the machine of the API server. Source of the words: k8s.io/apiserver/pkg/util/proxy ResolveEndpoint.
 */
export type ServiceResolver = (namespace: string, name: string, port: number) => ServiceAddress;

export function endpointResolver({ listers, random = Math.random }: { listers: Listers; random?(): number }): ServiceResolver {
  const services = listers<Service>("", "services");
  const slices = listers<EndpointSlice>("discovery.k8s.io", "endpointslices");

  return (namespace, name, port) => {
    const service = services.get(`${namespace}/${name}`);
    if (!service) throw new Error(`service ${JSON.stringify(name)} not found`);
    if (service.spec?.type === "ExternalName") return { host: service.spec.externalName!, port };
    const wanted = service.spec?.ports?.find((each) => each.port === port);
    if (!wanted) throw new Error(`no service port ${port} found for service ${JSON.stringify(name)}`);
    const ready: ServiceAddress[] = [];
    for (const slice of slices.list(namespace)) {
      if (slice.metadata.labels?.["kubernetes.io/service-name"] !== name) continue;
      const number = slice.ports?.find((each) => (each.name ?? "") === (wanted.name ?? ""))?.port;
      if (!number) continue;
      for (const { addresses, conditions } of slice.endpoints) if (conditions?.ready !== false && addresses[0]) ready.push({ host: addresses[0], port: number });
    }
    const chosen = ready[Math.floor(random() * ready.length)];
    if (!chosen) throw new Error(`no endpoints available for service ${JSON.stringify(name)}`);
    return chosen;
  };
}
