import { semanticEqual } from "../../apimachinery/equality.ts";
import { duplicate, forbiddenField, invalidValue, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { compareQuantities } from "../../apimachinery/quantity.ts";
import { labelValueErrors } from "../../apimachinery/validation/names.ts";
import type { Node, Taint } from "../generated/core/v1.ts";
import { cidr, labelName, oneOf } from "./field-rules.ts";

export function validateNode(node: Frozen<Node>): FieldError[] {
  const cidrs = node.spec.podCIDRs ?? [];
  const errors = [...validateTaints("metadata.taints", node.spec.taints), ...validateResources(node), ...cidrs.flatMap((range, index) => cidr(`spec.podCIDRs[${index}]`, range))];
  const families = new Set(cidrs.map((range) => range.includes(":")));
  if (families.size < cidrs.length) errors.push(invalidValue("spec.podCIDRs", cidrs, "may specify no more than one CIDR for each IP family"));
  return errors;
}

export function validateNodeUpdate(node: Frozen<Node>, old: Frozen<Node>): FieldError[] {
  const errors = [...validateTaints("metadata.taints", node.spec.taints), ...validateResources(node)];
  const addresses = new Set<string>();
  for (const [index, address] of (node.status?.addresses ?? []).entries()) {
    const key = `${address.type}/${address.address}`;
    if (addresses.has(key)) errors.push(duplicate(`status.addresses[${index}]`, address));
    addresses.add(key);
  }
  if (old.spec.podCIDRs?.length && !semanticEqual(node.spec.podCIDRs, old.spec.podCIDRs)) errors.push(forbiddenField("spec.podCIDRs", "node updates may not change podCIDR except from \"\" to valid"));
  if (old.spec.providerID && node.spec.providerID !== old.spec.providerID) errors.push(forbiddenField("spec.providerID", "node updates may not change providerID except from \"\" to valid"));
  return errors;
}

function validateResources({ status }: Frozen<Node>): FieldError[] {
  return (["capacity", "allocatable"] as const).flatMap((list) => Object.entries(status?.[list] ?? {})
    .filter(([, amount]) => compareQuantities(amount, "0") < 0)
    .map(([name, amount]) => invalidValue(`status.${list}.${name}`, String(amount), "must be greater than or equal to 0")));
}

function validateTaints(field: string, taints: Frozen<Taint[]> | undefined): FieldError[] {
  const seen = new Set<string>();
  return (taints ?? []).flatMap((taint, index) => {
    const { key, value = "", effect } = taint, at = `${field}[${index}]`, problems = labelValueErrors(value);
    const errors = [...labelName(`${at}.key`, key ?? ""), ...(problems.length > 0 ? [invalidValue(`${at}.value`, value, problems.join(";"))] : [])];
    errors.push(...oneOf(`${at}.effect`, effect, ["NoSchedule", "PreferNoSchedule", "NoExecute"]));
    if (seen.has(`${effect}/${key}`)) errors.push({ ...duplicate(at, taint), message: `${duplicate(at, taint).message}: taints must be unique by key and effect pair` });
    seen.add(`${effect}/${key}`);
    return errors;
  });
}
