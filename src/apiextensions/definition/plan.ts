import type { Frozen } from "../../apimachinery/meta.ts";
import type { CustomResourceDefinitionNames, CustomResourceDefinitionStatus } from "../../apis/generated/apiextensions/v1.ts";
import { conditionOf, withCondition, type Condition } from "./conditions.ts";
import type { PackedDefinition } from "./packing.ts";

type Definition = Frozen<PackedDefinition>;
type Names = Frozen<CustomResourceDefinitionNames>;
const noNames: Names = { plural: "", kind: "" };

/**
 * The status that a definition should have beside the `others`: which of its names are accepted, whether it is established, and whether the
 * API review asked for in Kubernetes' own groups is documented. Undefined when it has that status already.
 */
export function planStatus(definition: Definition, others: readonly Definition[], now: string): Partial<CustomResourceDefinitionStatus> | undefined {
  const { status } = definition;
  const taken = namesTaken(others.filter(({ metadata, spec }) => spec.group === definition.spec.group && metadata.name !== definition.metadata.name));
  const { acceptedNames, condition } = planNames(definition.spec.names, status?.acceptedNames ?? noNames, taken);
  let conditions = withCondition(status?.conditions, condition, now);
  const wasEstablished = conditionOf(definition, "Established")?.status === "True";
  if (!wasEstablished) conditions = withCondition(conditions, condition.status === "True" ? established : notAccepted, now);
  const approval = approvalCondition(definition);
  if (approval) conditions = withCondition(conditions, approval, now);
  const planned = { acceptedNames, conditions };
  return Bun.deepEquals(planned, { acceptedNames: status?.acceptedNames, conditions: status?.conditions }) ? undefined : planned;
}

const established: Condition = { type: "Established", status: "True", reason: "InitialNamesAccepted", message: "the initial names have been accepted" };
const notAccepted: Condition = { type: "Established", status: "False", reason: "NotAccepted", message: "not all names are accepted" };

interface Taken {
  resources: ReadonlySet<string>;
  kinds: ReadonlySet<string>;
}

function namesTaken(others: readonly Definition[]): Taken {
  const names = others.map(({ status }) => status?.acceptedNames ?? noNames);
  return {
    resources: new Set(names.flatMap(({ plural, singular, shortNames }) => [plural, singular ?? "", ...(shortNames ?? [])])),
    kinds: new Set(names.flatMap(({ kind, listKind }) => [kind, listKind ?? ""])),
  };
}

const inUse = (name: string): string => `${JSON.stringify(name)} is already in use`;

/** Each name that nobody else has is accepted; of several conflicts the last is reported. Source: k8s.io/apiextensions-apiserver pkg/controller/status. */
function planNames(wanted: Names, accepted: Names, { resources, kinds }: Taken): { acceptedNames: CustomResourceDefinitionNames; condition: Condition } {
  const names = structuredClone(accepted) as CustomResourceDefinitionNames;
  let condition: Condition = { type: "NamesAccepted", status: "True", reason: "NoConflicts", message: "no conflicts found" };
  const refuse = (reason: string, message: string): void => void (condition = { type: "NamesAccepted", status: "False", reason, message });
  const take = (field: "plural" | "singular" | "kind" | "listKind", taken: ReadonlySet<string>, reason: string): void => {
    const name = wanted[field] ?? "";
    if (name !== (accepted[field] ?? "") && taken.has(name)) refuse(reason, inUse(name));
    else names[field] = name;
  };
  take("plural", resources, "PluralConflict");
  take("singular", resources, "SingularConflict");
  const conflicts = (wanted.shortNames ?? []).filter((name) => !accepted.shortNames?.includes(name) && resources.has(name)).map(inUse);
  if (conflicts.length > 0) refuse("ShortNamesConflict", conflicts.length === 1 ? conflicts[0]! : `[${conflicts.join(", ")}]`);
  else if (wanted.shortNames) names.shortNames = [...wanted.shortNames];
  else delete names.shortNames;
  take("kind", kinds, "KindConflict");
  take("listKind", kinds, "ListKindConflict");
  if (wanted.categories) names.categories = [...wanted.categories];
  else delete names.categories;
  return { acceptedNames: names, condition };
}

const approvalAnnotation = "api-approved.kubernetes.io";

/** Groups of the Kubernetes community say where their API was approved. */
function approvalCondition({ metadata, spec: { group } }: Definition): Condition | undefined {
  if (!/(?:^|\.)(?:k8s|kubernetes)\.io$/.test(group)) return undefined;
  const text = metadata.annotations?.[approvalAnnotation] ?? "", link = "see https://github.com/kubernetes/enhancements/pull/1111";
  const says = (status: "True" | "False", reason: string, message: string): Condition => ({ type: "KubernetesAPIApprovalPolicyConformant", status, reason, message });
  const must = `protected groups must have approval annotation "${approvalAnnotation}"`;
  if (text === "") return says("False", "MissingAnnotation", `${must}, ${link}`);
  if (text.startsWith("unapproved")) return says("False", "UnapprovedAnnotation", `not approved: ${JSON.stringify(text)}`);
  if (URL.canParse(text)) return says("True", "ApprovedAnnotation", `approved in ${text}`);
  return says("False", "InvalidAnnotation", `${must} with either a URL or a reason starting with "unapproved", ${link}`);
}
