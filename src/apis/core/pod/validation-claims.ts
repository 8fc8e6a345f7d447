import { duplicate, invalidValue, notFoundValue, notSupported, required, type FieldError } from "../../../apimachinery/field-errors.ts";
import type { Frozen } from "../../../apimachinery/meta.ts";
import type { ContainerResizePolicy, PodResourceClaim, ResourceClaim } from "../../generated/core/v1.ts";
import { dnsLabel, dnsSubdomain, unique } from "../field-rules.ts";

/** The devices that a pod claims, by name: each from a claim that is there, or one made from a template. */
export function validatePodClaims(field: string, claims: Frozen<PodResourceClaim[]> | undefined): FieldError[] {
  const names = new Set<string>();
  return (claims ?? []).flatMap((claim, index) => {
    const at = `${field}[${index}]`, { name, resourceClaimName: claimName, resourceClaimTemplateName: templateName } = claim;
    const shown = { Name: name ?? "", ResourceClaimName: claimName ?? null, ResourceClaimTemplateName: templateName ?? null };
    const taken = name ? unique(`${at}.name`, names, name) : [required(`${at}.name`)];
    return [
      ...(taken.length > 0 ? taken : dnsLabel(`${at}.name`, name)),
      ...(claimName !== undefined && templateName !== undefined ? [invalidValue(at, shown, "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified")] : []),
      ...(claimName === undefined && templateName === undefined ? [invalidValue(at, shown, "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`")] : []),
      ...(claimName === undefined ? [] : dnsSubdomain(`${at}.resourceClaimName`, claimName)),
      ...(templateName === undefined ? [] : dnsSubdomain(`${at}.resourceClaimTemplateName`, templateName)),
    ];
  });
}

/** Those of the pod's claims, or of their requests, that one container uses. */
export function validateClaimNames(field: string, claims: Frozen<ResourceClaim[]> | undefined, ofPod: ReadonlySet<string>): FieldError[] {
  const seen = new Set<string>();
  return (claims ?? []).flatMap(({ name, request = "" }, index) => {
    const at = `${field}[${index}]`, errors: FieldError[] = [];
    if (!name) errors.push(required(at));
    else if (seen.has(name)) errors.push(duplicate(at, name));
    else {
      const key = request ? `${name}/${request}` : name;
      if (request) errors.push(...dnsLabel(`${at}.request`, request));
      if (seen.has(key)) errors.push(duplicate(at, key));
      else if (!request) errors.push(...[...seen].filter((other) => other.startsWith(`${name}/`)).map(() => duplicate(at, name)));
      seen.add(key);
    }
    if (name && ofPod.has(name)) return errors;
    const missing = notFoundValue(at, name ?? ""), known = [...ofPod].toSorted().join(", ");
    return [...errors, { ...missing, message: `${missing.message}: must be one of the names in pod.spec.resourceClaims${known ? `: ${known}` : " which is empty"}` }];
  });
}

/** Kubernetes leaves the index out of most of these. */
export function validateResizePolicies(field: string, policies: Frozen<ContainerResizePolicy[]> | undefined, podRestartPolicy: string | undefined): FieldError[] {
  const seen = new Set<string>();
  const oneOfTwo = (value: string, supported: readonly string[]): FieldError[] => {
    if (value === "") return [required(field)];
    return supported.includes(value) ? [] : [notSupported(field, value, supported)];
  };
  return (policies ?? []).flatMap(({ resourceName = "", restartPolicy = "" }, index) => [
    ...unique(`${field}[${index}]`, seen, resourceName),
    ...oneOfTwo(resourceName, ["cpu", "memory"]),
    ...oneOfTwo(restartPolicy, ["NotRequired", "RestartContainer"]),
    ...(podRestartPolicy === "Never" && restartPolicy !== "NotRequired" ? [invalidValue(field, restartPolicy, "must be 'NotRequired' when pod `restartPolicy` is 'Never'")] : []),
  ]);
}
