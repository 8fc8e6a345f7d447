import { invalidValue, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { ageColumn, defineResource, nameColumn } from "../../apimachinery/resource.ts";
import { immutableMessage } from "../../apimachinery/validation/object-meta.ts";
import type { ServiceCIDR, ServiceCIDRSpec } from "../generated/networking/v1.ts";
import { canonicalNetwork, parseNetwork } from "./addresses.ts";
export type { ServiceCIDR } from "../generated/networking/v1.ts";

export const servicecidrs = defineResource<ServiceCIDR>({
  group: "networking.k8s.io", version: "v1", kind: "ServiceCIDR", resource: "servicecidrs", scope: "Cluster", subresources: { status: true },
  schema: "io.k8s.api.networking.v1.ServiceCIDR",
  default(range) {
    range.spec ??= {};
    range.status ??= {};
  },
  strategy: {
    resetFields: { status: [["metadata"], ["spec"]] },
    prepareForCreate(range) {
      delete range.metadata.generation;
      range.status = {};
    },
    validate: ({ spec }) => validateNetworks(spec),
    validateUpdate,
  },
  columns: [
    nameColumn(),
    { name: "CIDRs", type: "string", description: "CIDRs defines the IP blocks in CIDR notation (e.g. \"192.168.0.0/24\" or \"2001:db8::/64\") from which to assign service cluster IPs. Max of two CIDRs is allowed, one of each IP family. This field is immutable.", value: ({ spec }) => (spec.cidrs ?? []).join(",") },
    ageColumn(),
  ],
  example: () => ({ apiVersion: "networking.k8s.io/v1", kind: "ServiceCIDR", metadata: { name: "example" }, spec: { cidrs: ["10.96.128.0/24"] } }),
});

const field = "spec.cidrs";

function validateNetworks(spec: Frozen<ServiceCIDRSpec>): FieldError[] {
  const { cidrs = [] } = spec;
  if (cidrs.length === 0) return [required(field, "at least one CIDR required")];
  if (cidrs.length > 2) return [invalidValue(field, { CIDRs: cidrs }, "may only hold up to 2 values")];
  const errors = cidrs.flatMap((cidr, index) => canonicalNetwork(`${field}[${index}]`, cidr));
  const [first, second] = cidrs.map((cidr) => parseNetwork(cidr)?.family);
  return first && first === second ? [...errors, invalidValue(field, cidrs, "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64")] : errors;
}

/** A second family may be added; nothing else changes. */
function validateUpdate({ spec }: Frozen<ServiceCIDR>, { spec: old }: Frozen<ServiceCIDR>): FieldError[] {
  const { cidrs = [] } = spec, was = old.cidrs ?? [];
  const changed = (count: number): FieldError[] => was.slice(0, count).flatMap((cidr, index) => (cidrs[index] === cidr ? [] : [invalidValue(`${field}[${index}]`, cidrs[index], immutableMessage)]));
  if (cidrs.length === was.length) return changed(was.length);
  if (was.length === 1 && cidrs.length === 2) return [...changed(1), ...validateNetworks(spec)];
  return [invalidValue(field, cidrs, immutableMessage)];
}
