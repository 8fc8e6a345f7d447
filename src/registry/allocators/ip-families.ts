import { isIPv6 } from "node:net";
import { invalidValue, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { ServiceSpec } from "../../apis/generated/core/v1.ts";
import { validateClusterIPs } from "../../apis/core/service/validation.ts";

export type IpFamily = "IPv4" | "IPv6";

export const ipFamilyOf = (address: string): IpFamily => (isIPv6(address) ? "IPv6" : "IPv4");
const other = (family: IpFamily): IpFamily => (family === "IPv4" ? "IPv6" : "IPv4");

/** An address for no service: its name leads to its endpoints. */
export const isHeadless = ({ clusterIP, clusterIPs }: Frozen<ServiceSpec>): boolean => (clusterIPs?.[0] ?? clusterIP) === "None";

const same = (a: readonly string[] = [], b: readonly string[] = []): boolean => a.length === b.length && a.every((value, index) => value === b[index]);
const reduced = (now: readonly string[] = [], before: readonly string[] = []): boolean => now.length > 0 && now.length < before.length;

/**
 * Completes ipFamilyPolicy and ipFamilies of a service that is not by an external name, and drops the second family and address where the
 * policy asks for one stack alone. `configured` are the cluster's families, its first one first. Returns what is wrong; then the rest is
 * undecided. Source: initIPFamilyFields of pkg/registry/core/service/storage/alloc.go.
 */
export function setFamilies(spec: ServiceSpec, old: Frozen<ServiceSpec> | undefined, configured: readonly IpFamily[]): FieldError[] {
  if (old && preferenceStays(spec, old)) return [];
  const anyEndpoints = isHeadless(spec) && Object.keys(spec.selector ?? {}).length === 0;
  spec.ipFamilyPolicy ??= old?.ipFamilyPolicy ?? (anyEndpoints ? "RequireDualStack" : "SingleStack");
  const malformed = validateClusterIPs(spec);
  if (malformed.length > 0) return malformed;
  const errors = [...(old ? settleOneStack(spec, old) : []), ...severalInOneStack(spec), ...inferFamilies(spec, configured)];
  if (errors.length > 0) return errors;
  const families = (spec.ipFamilies ?? []) as IpFamily[];
  // Endpoints of any family may be given to it by hand, whatever the cluster has.
  if (!anyEndpoints) errors.push(...notConfigured(spec, families, configured));
  if (errors.length > 0) return errors;
  spec.ipFamilies = families.length > 0 ? families : [configured[0]!];
  if (spec.ipFamilyPolicy !== "SingleStack" && spec.ipFamilies.length === 1 && (anyEndpoints || configured.length === 2)) spec.ipFamilies.push(other(spec.ipFamilies[0] as IpFamily));
  return [];
}

/** A service that prefers two families does not get, or lose, one because the cluster changed, but when somebody says so. */
export const preferenceStays = (spec: Frozen<ServiceSpec>, old: Frozen<ServiceSpec>): boolean =>
  spec.ipFamilyPolicy === "PreferDualStack" && (old.ipFamilyPolicy ?? "PreferDualStack") === "PreferDualStack" && spec.type === old.type && same(spec.clusterIPs, old.clusterIPs) && same(spec.ipFamilies, old.ipFamilies);

/** One stack asked for is all that need be said to let go of the second; otherwise it is not let go of. */
function settleOneStack(spec: ServiceSpec, old: Frozen<ServiceSpec>): FieldError[] {
  if (spec.ipFamilyPolicy === "SingleStack") {
    if (same(spec.clusterIPs, old.clusterIPs)) spec.clusterIPs = spec.clusterIPs?.slice(0, 1);
    if (same(spec.ipFamilies, old.ipFamilies)) spec.ipFamilies = spec.ipFamilies?.slice(0, 1);
    return [];
  }
  const refused = (what: string): FieldError => invalidValue("spec.ipFamilyPolicy", spec.ipFamilyPolicy, `must be 'SingleStack' to release the secondary ${what}`);
  return [...(reduced(spec.clusterIPs, old.clusterIPs) ? [refused("cluster IP")] : []), ...(reduced(spec.ipFamilies, old.ipFamilies) ? [refused("IP family")] : [])];
}

function severalInOneStack({ ipFamilyPolicy, clusterIPs = [], ipFamilies = [] }: ServiceSpec): FieldError[] {
  const refused = (what: string): FieldError => invalidValue("spec.ipFamilyPolicy", ipFamilyPolicy, `must be 'RequireDualStack' or 'PreferDualStack' when multiple ${what} are specified`);
  if (ipFamilyPolicy !== "SingleStack") return [];
  return [...(clusterIPs.length === 2 ? [refused("cluster IPs")] : []), ...(ipFamilies.length === 2 ? [refused("IP families")] : [])];
}

/** Addresses say their families where nobody else does. */
function inferFamilies(spec: ServiceSpec, configured: readonly IpFamily[]): FieldError[] {
  if (isHeadless(spec)) return [];
  const errors: FieldError[] = [];
  for (const [index, address] of (spec.clusterIPs ?? []).entries()) {
    const family = ipFamilyOf(address);
    if (index < (spec.ipFamilies?.length ?? 0)) continue;
    if (configured.includes(family)) (spec.ipFamilies ??= []).push(family);
    else errors.push(invalidValue(`spec.clusterIPs[${index}]`, spec.clusterIPs, `${family} is not configured on this cluster`));
  }
  return errors;
}

function notConfigured({ ipFamilyPolicy }: ServiceSpec, families: readonly IpFamily[], configured: readonly IpFamily[]): FieldError[] {
  return [
    ...(ipFamilyPolicy === "RequireDualStack" && configured.length < 2 ? [invalidValue("spec.ipFamilyPolicy", ipFamilyPolicy, "this cluster is not configured for dual-stack services")] : []),
    ...families.flatMap((family, index) => (configured.includes(family) ? [] : [invalidValue(`spec.ipFamilies[${index}]`, family, "not configured on this cluster")])),
  ];
}
