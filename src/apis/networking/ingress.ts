import { semanticEqual } from "../../apimachinery/equality.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { ageColumn, defineResource, nameColumn } from "../../apimachinery/resource.ts";
import type { Ingress, IngressRule } from "../generated/networking/v1.ts";
import { addressWarnings } from "./addresses.ts";
import { classAnnotation, validateIngress, validateIngressStatus, validateIngressUpdate } from "./ingress-validation.ts";
export type { Ingress } from "../generated/networking/v1.ts";

export const ingresses = defineResource<Ingress>({
  group: "networking.k8s.io", version: "v1", kind: "Ingress", resource: "ingresses", scope: "Namespaced", shortNames: ["ing"], subresources: { status: true },
  schema: "io.k8s.api.networking.v1.Ingress",
  default(ingress) {
    ingress.spec ??= {};
    (ingress.status ??= {}).loadBalancer ??= {};
  },
  strategy: {
    prepareForCreate(ingress) {
      ingress.status = { loadBalancer: {} };
    },
    validate: validateIngress,
    validateUpdate: validateIngressUpdate,
    validateStatusUpdate: validateIngressStatus,
    warnings,
  },
  columns: [
    nameColumn(),
    { name: "Class", type: "string", description: "The name of the IngressClass resource that should be used for additional configuration", value: ({ spec }) => spec.ingressClassName ?? "<none>" },
    { name: "Hosts", type: "string", description: "Hosts that incoming requests are matched against before the ingress rule", value: ({ spec }) => hostsOf(spec.rules ?? []) },
    { name: "Address", type: "string", description: "Address is a list containing ingress points for the load-balancer", value: addressesOf },
    { name: "Ports", type: "string", description: "Ports of TLS configurations that open", value: ({ spec }) => (spec.tls?.length ? "80, 443" : "80") },
    ageColumn(),
  ],
  example: () => ({
    apiVersion: "networking.k8s.io/v1", kind: "Ingress", metadata: { name: "example", namespace: "default" },
    spec: { defaultBackend: { service: { name: "example", port: { number: 80 } } } },
  }),
});

function warnings({ metadata, spec, status }: Frozen<Ingress>, old?: Frozen<Ingress>): string[] {
  if (!old) return metadata.annotations?.[classAnnotation] !== undefined && spec.ingressClassName === undefined ? [`annotation "${classAnnotation}" is deprecated, please use 'spec.ingressClassName' instead`] : [];
  if (semanticEqual(status, old.status)) return [];
  return (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }, index) => (ip ? addressWarnings(`status.loadBalancer.ingress[${index}]`, ip) : []));
}

const mostHosts = 3;

function hostsOf(rules: readonly Frozen<IngressRule>[]): string {
  const hosts = rules.map(({ host }) => host).filter(Boolean), shown = hosts.slice(0, mostHosts);
  if (shown.length === 0) return "*";
  const filledAt = rules.findIndex(({ host }) => host === shown[mostHosts - 1]);
  const more = shown.length === mostHosts && filledAt < rules.length - 1;
  return more ? `${shown.join(",")} + ${rules.length - mostHosts} more...` : shown.join(",");
}

function addressesOf({ status }: Frozen<Ingress>): string {
  return [...new Set((status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip || hostname || "").filter(Boolean))].toSorted().join(",");
}
