import type { Frozen } from "../../apimachinery/meta.ts";
import type { CustomResourceDefinitionCondition } from "../../apis/generated/apiextensions/v1.ts";
import type { PackedDefinition } from "./packing.ts";

type ConditionType = "Established" | "NamesAccepted" | "NonStructuralSchema" | "Terminating" | "KubernetesAPIApprovalPolicyConformant";
export type Condition = CustomResourceDefinitionCondition & { type: string; status: "True" | "False" };

export const conditionOf = (definition: Frozen<Pick<PackedDefinition, "status">>, type: ConditionType): Frozen<CustomResourceDefinitionCondition> | undefined =>
  definition.status?.conditions?.find((condition) => condition.type === type);

export const isTrue = (definition: Frozen<Pick<PackedDefinition, "status">>, type: ConditionType): boolean => conditionOf(definition, type)?.status === "True";

/** `conditions` with this one in its place or at the end; the time of its last transition moves only with its status. */
export function withCondition(conditions: readonly Frozen<CustomResourceDefinitionCondition>[] | null | undefined, wanted: Condition, now: string): CustomResourceDefinitionCondition[] {
  const list = [...(conditions ?? [])] as CustomResourceDefinitionCondition[];
  const position = list.findIndex(({ type }) => type === wanted.type), old = list[position];
  const lastTransitionTime = old?.status === wanted.status && old.lastTransitionTime ? old.lastTransitionTime : now;
  if (position < 0) list.push({ ...wanted, lastTransitionTime });
  else list[position] = { ...wanted, lastTransitionTime };
  return list;
}
