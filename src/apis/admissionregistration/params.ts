import { forbiddenField, invalidValue, notSupported, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import { ageColumn, nameColumn, type Column } from "../../apimachinery/resource.ts";
import { formatLabelSelector } from "../../apimachinery/selectors/labels.ts";
import { validateLabelSelector } from "../../apimachinery/validation/label-selector.ts";
import { dns1035LabelErrors, dns1123SubdomainErrors, pathSegmentErrors } from "../../apimachinery/validation/names.ts";
import type { MatchResources, ParamKind, ParamRef } from "../generated/admissionregistration/v1.ts";
import { validateMatchResources } from "./rules.ts";

/** What policies of both sorts, and their bindings, share: the objects that parameterise them. */

export function validateParamKind(field: string, { apiVersion = "", kind = "" }: Frozen<ParamKind>): FieldError[] {
  const errors = apiVersion ? validateGroupVersion(`${field}.apiVersion`, apiVersion) : [required(`${field}.apiVersion`)];
  if (!kind) return [...errors, required(`${field}.kind`)];
  const wrong = dns1035LabelErrors(kind.toLowerCase());
  return wrong.length === 0 ? errors : [...errors, invalidValue(`${field}.kind`, kind, `may have mixed case, but should otherwise match: ${wrong.join(",")}`)];
}

function validateGroupVersion(field: string, text: string): FieldError[] {
  const parts = text === "/" ? [""] : text.split("/");
  if (parts.length > 2) return [invalidValue(field, text, `unexpected GroupVersion string: ${text}`)];
  const [version = "", group = ""] = parts.toReversed();
  const wrongGroup = group ? dns1123SubdomainErrors(group) : [], wrongVersion = version ? dns1035LabelErrors(version) : [];
  return [
    ...(wrongGroup.length > 0 ? [invalidValue(field, group, wrongGroup.join(","))] : []),
    ...(version ? [] : [invalidValue(field, text, "version must be specified")]),
    ...(wrongVersion.length > 0 ? [invalidValue(field, version, wrongVersion.join(","))] : []),
  ];
}

interface BindingSpec {
  policyName?: string;
  paramRef?: ParamRef;
  matchResources?: MatchResources;
}
export interface PolicyBinding extends KubeObject {
  spec: BindingSpec;
}

export function validateBinding({ policyName, paramRef, matchResources }: Frozen<BindingSpec>): FieldError[] {
  return [
    ...(policyName ? dns1123SubdomainErrors(policyName).map((message) => invalidValue("spec.policyName", policyName, message)) : [required("spec.policyName")]),
    ...(paramRef ? validateParamRef("spec.paramRef", paramRef) : []),
    ...validateMatchResources("spec.matchResources", matchResources),
  ];
}

function validateParamRef(field: string, { name, selector, parameterNotFoundAction: action }: Frozen<ParamRef>): FieldError[] {
  const exclusive = (at: string): FieldError[] => (name && selector ? [forbiddenField(`${field}.${at}`, "name and selector are mutually exclusive")] : []);
  return [
    ...(name ? [...pathSegmentErrors(name).map((message) => invalidValue(`${field}.name`, name, message)), ...exclusive("name")] : []),
    ...(selector ? [...validateLabelSelector(selector, `${field}.selector`), ...exclusive("selector")] : []),
    ...(name || selector ? [] : [required(field, "one of name or selector must be specified")]),
    ...(action ? (action === "Deny" || action === "Allow" ? [] : [notSupported(`${field}.parameterNotFoundAction`, action, ["Deny", "Allow"])]) : [required(`${field}.parameterNotFoundAction`)]),
  ];
}

export const paramKindColumn = <T extends KubeObject & { spec: { paramKind?: ParamKind } }>(): Column<T> => ({
  name: "ParamKind", type: "string", description: "ParamKind specifies the kind of resources used to parameterize this policy",
  value: (policy) => {
    const { paramKind } = (policy as Frozen<KubeObject & { spec: { paramKind?: ParamKind } }>).spec;
    return paramKind ? `${paramKind.apiVersion ?? ""}/${paramKind.kind ?? ""}` : "<unset>";
  },
});

export function bindingColumns<T extends PolicyBinding>(): readonly Column<T>[] {
  const specOf = (binding: Frozen<T>): Frozen<BindingSpec> => (binding as Frozen<PolicyBinding>).spec;
  return [
    nameColumn(),
    { name: "PolicyName", type: "string", description: "PolicyName indicates the policy definition which the policy binding binded to", value: (binding) => specOf(binding).policyName ?? "" },
    { name: "ParamRef", type: "string", description: "ParamRef indicates the param resource which sets the configuration param", value: (binding) => shownReference(specOf(binding).paramRef) },
    ageColumn(),
  ];
}

function shownReference({ name, namespace, selector }: Frozen<ParamRef> = {}): string {
  if (name) return `${namespace || "*"}/${name}`;
  return selector ? formatLabelSelector(selector) : "<unset>";
}
