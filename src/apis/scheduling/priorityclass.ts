import { forbiddenField, invalidValue, notSupported, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { ageColumn, defineResource, nameColumn } from "../../apimachinery/resource.ts";
import type { PriorityClass } from "../generated/scheduling/v1.ts";
export type { PriorityClass } from "../generated/scheduling/v1.ts";

const highestUserDefinable = 1_000_000_000;

/** The classes that every cluster has: what the cluster, or a node, cannot do without. */
export const systemPriorityClasses: readonly PriorityClass[] = [
  { ...head("system-node-critical"), value: 2 * highestUserDefinable + 1000, preemptionPolicy: "PreemptLowerPriority", description: "Used for system critical pods that must not be moved from their current node." },
  { ...head("system-cluster-critical"), value: 2 * highestUserDefinable, preemptionPolicy: "PreemptLowerPriority", description: "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary." },
];

function head(name: string): Pick<PriorityClass, "apiVersion" | "kind" | "metadata"> {
  return { apiVersion: "scheduling.k8s.io/v1", kind: "PriorityClass", metadata: { name } };
}

export const priorityclasses = defineResource<PriorityClass>({
  group: "scheduling.k8s.io", version: "v1", kind: "PriorityClass", resource: "priorityclasses", scope: "Cluster", shortNames: ["pc"],
  schema: "io.k8s.api.scheduling.v1.PriorityClass",
  default(priorityClass) {
    priorityClass.value ??= 0;
    priorityClass.preemptionPolicy ??= "PreemptLowerPriority";
  },
  strategy: {
    prepareForCreate(priorityClass) {
      priorityClass.metadata.generation = 1;
    },
    validate, validateUpdate,
    generationChanged: () => false,
  },
  columns: [
    nameColumn(),
    { name: "Value", type: "integer", description: "value represents the integer value of this priority class. This is the actual priority that pods receive when they have the name of this class in their pod spec.", value: (priorityClass) => priorityClass.value },
    { name: "Global-Default", type: "boolean", description: "globalDefault specifies whether this PriorityClass should be considered as the default priority for pods that do not have any priority class. Only one PriorityClass can be marked as `globalDefault`. However, if more than one PriorityClasses exists with their `globalDefault` field set to true, the smallest value of such global default PriorityClasses will be used as the default priority.", value: (priorityClass) => priorityClass.globalDefault ?? false },
    ageColumn(),
    { name: "PreemptionPolicy", type: "string", description: "preemptionPolicy is the Policy for preempting pods with lower priority. One of Never, PreemptLowerPriority. Defaults to PreemptLowerPriority if unset.", value: (priorityClass) => priorityClass.preemptionPolicy ?? "" },
  ],
  example: () => ({ apiVersion: "scheduling.k8s.io/v1", kind: "PriorityClass", metadata: { name: "example" }, value: 1000 }),
});

const policies = ["PreemptLowerPriority", "Never"];

function validate(priorityClass: Frozen<PriorityClass>): FieldError[] {
  const errors: FieldError[] = [];
  const name = priorityClass.metadata.name ?? "";
  if (name.startsWith("system-")) {
    const problem = differsFromSystemClass(priorityClass);
    if (problem) errors.push(forbiddenField("metadata.name", `priority class names with 'system-' prefix are reserved for system use only. error: ${problem}`));
  } else if (priorityClass.value > highestUserDefinable) {
    errors.push(forbiddenField("value", `maximum allowed value of a user defined priority is ${highestUserDefinable}`));
  }
  const policy = priorityClass.preemptionPolicy;
  if (policy !== undefined && !policies.includes(policy)) errors.push(notSupported("preemptionPolicy", policy, policies));
  return errors;
}

function differsFromSystemClass({ metadata: { name }, value, globalDefault }: Frozen<PriorityClass>): string {
  const known = systemPriorityClasses.find((one) => one.metadata.name === name);
  if (!known) return `${name} is not a known system priority class`;
  if (known.value !== value) return `value of ${name} PriorityClass must be ${known.value}`;
  return globalDefault ? `globalDefault of ${name} PriorityClass must be false` : "";
}

function validateUpdate(priorityClass: Frozen<PriorityClass>, old: Frozen<PriorityClass>): FieldError[] {
  const errors: FieldError[] = [];
  if (priorityClass.value !== old.value) errors.push(forbiddenField("value", "may not be changed in an update."));
  if (priorityClass.preemptionPolicy !== old.preemptionPolicy) errors.push(invalidValue("preemptionPolicy", priorityClass.preemptionPolicy, "field is immutable"));
  return errors;
}
