import { semanticEqual } from "../../apimachinery/equality.ts";
import { forbiddenField, invalidValue, notSupported, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { dns1035LabelErrors, dns1123SubdomainErrors } from "../../apimachinery/validation/names.ts";
import { validateImmutableField } from "../../apimachinery/validation/object-meta.ts";
import { webhookService, webhookUrl } from "../admissionregistration/webhook-client.ts";
import { oneOf } from "../core/field-rules.ts";
import type { CustomResourceConversion, CustomResourceDefinition, CustomResourceDefinitionNames, CustomResourceDefinitionSpec, CustomResourceDefinitionVersion, JSONSchemaProps } from "../generated/apiextensions/v1.ts";
import { foldVersions, shownVersions } from "./folded-versions.ts";
import { schemaRules } from "./schema-rules.ts";
import { validateColumn, validateDeprecation, validateSelectableFields, validateSubresources } from "./version-validation.ts";

type Definition = Frozen<CustomResourceDefinition>;
type Version = Frozen<CustomResourceDefinitionVersion>;
const approvalAnnotation = "api-approved.kubernetes.io";

/** Source: k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation ValidateCustomResourceDefinition. */
export function validateDefinition(definition: Definition): FieldError[] {
  const { metadata: { name = "" }, spec } = definition;
  return [
    ...(name === `${spec.names?.plural ?? ""}.${spec.group ?? ""}` ? [] : [invalidValue("metadata.name", name, `must be spec.names.plural+"."+spec.group`)]),
    ...validateSpec(spec, undefined),
    ...validateStatus(definition),
    ...validateApproval(definition, undefined),
    ...validatePreserving(definition, undefined),
  ];
}

export function validateDefinitionUpdate(definition: Definition, old: Definition): FieldError[] {
  const { spec } = definition;
  const established = isEstablished(old);
  return [
    ...validateSpec(spec, old),
    ...(established ? [...validateImmutableField(spec.scope, old.spec.scope, "spec.scope"), ...validateImmutableField(spec.names?.kind, old.spec.names?.kind, "spec.names.kind")] : []),
    ...validateImmutableField(spec.group, old.spec.group, "spec.group"),
    ...validateImmutableField(spec.names?.plural, old.spec.names?.plural, "spec.names.plural"),
    ...validateStatus(definition),
    ...validateApproval(definition, old),
    ...validatePreserving(definition, old),
  ];
}

export const validateAcceptedNames = ({ status }: Definition): FieldError[] => validateNames("status.acceptedNames", status?.acceptedNames ?? {});

const isEstablished = ({ status }: Definition): boolean => (status?.conditions ?? []).some(({ type, status: value }) => type === "Established" && value === "True");

function validateSpec(spec: Frozen<CustomResourceDefinitionSpec>, old: Definition | undefined): FieldError[] {
  const versions = spec.versions ?? [], folded = foldVersions(versions);
  const { shared } = folded;
  const names: Partial<Frozen<CustomResourceDefinitionNames>> = spec.names ?? {};
  const schemaNeeded = !old || (old.spec.versions ?? []).every(({ schema }) => schema?.openAPIV3Schema);
  const errors = [...validateGroup(spec.group), ...oneOf("spec.scope", spec.scope, ["Cluster", "Namespaced"])];
  versions.forEach(({ schema, served }, index) => {
    if (schema?.openAPIV3Schema) return;
    if (schemaNeeded) errors.push(required(`spec.versions[${index}].schema.openAPIV3Schema`));
    else if (served && !spec.preserveUnknownFields) errors.push(required(`spec.versions[${index}].schema.openAPIV3Schema`, "because otherwise all fields are pruned"));
  });
  if (spec.preserveUnknownFields && versions.some(({ schema }) => hasDefaults(schema?.openAPIV3Schema))) {
    errors.push(invalidValue("spec.preserveUnknownFields", true, "must be false in order to use defaults in the schema"));
  }
  folded.versions.forEach((version, index) => errors.push(...validateVersion(version, versions[index]!, `spec.versions[${index}]`, old)));
  const shown = (message: string): FieldError => invalidValue("spec.versions", shownVersions(folded.versions), message);
  if (new Set(versions.map(({ name }) => name)).size < versions.length) errors.push(shown("must contain unique version names"));
  if (versions.filter(({ storage }) => storage).length !== 1) errors.push(shown("must have exactly one version marked as storage version"));
  if (versions[0]?.name) errors.push(...labelJoined("spec.version", versions[0].name));
  for (const part of ["plural", "singular", "kind", "listKind"] as const) if (!names[part]) errors.push(required(`spec.names.${part}`));
  errors.push(...validateNames("spec.names", names));
  const statusEnabled = versions.some(({ subresources }) => subresources?.status);
  if (shared.schema?.openAPIV3Schema) errors.push(...schemaRules.validate({ schema: shared.schema.openAPIV3Schema, field: "spec.validation.openAPIV3Schema", statusEnabled, version: versions[0]!.name, old }));
  errors.push(...validateSubresources("spec.subresources", shared.subresources), ...(shared.additionalPrinterColumns ?? []).flatMap((column, index) => validateColumn(`spec.additionalPrinterColumns[${index}]`, column)));
  errors.push(...validateSharedSelectableFields(shared, old));
  const { conversion } = spec;
  if (conversion && conversion.strategy !== "None" && spec.preserveUnknownFields) errors.push(invalidValue("spec.conversion.strategy", conversion.strategy, "must be None if spec.preserveUnknownFields is true"));
  return [...errors, ...(conversion ? validateConversion(conversion, old) : [])];
}

const labelJoined = (field: string, value: string, about = "", checked = value): FieldError[] => {
  const wrong = dns1035LabelErrors(checked);
  return wrong.length > 0 ? [invalidValue(field, value, about + wrong.join(","))] : [];
};

function validateGroup(group: string | undefined): FieldError[] {
  if (!group) return [required("spec.group")];
  const wrong = dns1123SubdomainErrors(group);
  if (wrong.length > 0) return [invalidValue("spec.group", group, wrong.join(","))];
  return group.includes(".") ? [] : [invalidValue("spec.group", group, "should be a domain with at least one dot")];
}

/** `version` without what all versions share, `whole` with it. */
function validateVersion(version: Version, whole: Version, field: string, old: Definition | undefined): FieldError[] {
  const { name = "", schema, subresources, additionalPrinterColumns = [], selectableFields = [] } = version;
  const errors = [...labelJoined(`${field}.name`, name), ...validateDeprecation(field, version.deprecated, version.deprecationWarning)];
  if (schema?.openAPIV3Schema) {
    errors.push(...schemaRules.validate({ schema: schema.openAPIV3Schema, field: `${field}.schema.openAPIV3Schema`, statusEnabled: Boolean(whole.subresources?.status), version: name, old }));
  }
  errors.push(...validateSubresources(`${field}.subresources`, subresources), ...additionalPrinterColumns.flatMap((column, index) => validateColumn(`${field}.additionalPrinterColumns[${index}]`, column)));
  if (selectableFields.length === 0) return errors;
  if (!schema?.openAPIV3Schema) return [...errors, invalidValue(`${field}.selectableFields`, "", "may only be set when `version.schema.openAPIV3Schema` is not included")];
  const stored = old?.spec.versions?.find((one) => one.name === name)?.selectableFields;
  return [...errors, ...validateSelectableFields(`${field}.selectableFields`, selectableFields, schema.openAPIV3Schema, semanticEqual(stored, selectableFields))];
}

function validateSharedSelectableFields({ schema, selectableFields = [] }: ReturnType<typeof foldVersions>["shared"], old: Definition | undefined): FieldError[] {
  if (selectableFields.length === 0) return [];
  if (!schema?.openAPIV3Schema) return [invalidValue("spec.selectableFields", "", "may only be set when validations.schema is included")];
  const stored = foldVersions(old?.spec.versions ?? []).shared.selectableFields;
  return validateSelectableFields("spec.selectableFields", selectableFields, schema.openAPIV3Schema, semanticEqual(stored, selectableFields));
}

/** Whether a default is anywhere in the schema. */
function hasDefaults(schema: Frozen<JSONSchemaProps> | undefined): boolean {
  if (!schema) return false;
  const { items, additionalProperties } = schema;
  const inner = [...Object.values(schema.properties ?? {}), ...(Array.isArray(items) ? items : [items]), typeof additionalProperties === "object" ? additionalProperties : undefined];
  return schema.default !== undefined || inner.some((one) => hasDefaults(one as Frozen<JSONSchemaProps> | undefined));
}

function validateNames(field: string, { plural, singular, kind, listKind, shortNames = [], categories = [] }: Partial<Frozen<CustomResourceDefinitionNames>>): FieldError[] {
  const mixedCase = "may have mixed case, but should otherwise match: ";
  return [
    ...(plural ? labelJoined(`${field}.plural`, plural) : []),
    ...(singular ? labelJoined(`${field}.singular`, singular) : []),
    ...(kind ? labelJoined(`${field}.kind`, kind, mixedCase, kind.toLowerCase()) : []),
    ...(listKind ? labelJoined(`${field}.listKind`, listKind, mixedCase, listKind.toLowerCase()) : []),
    ...shortNames.flatMap((name, index) => labelJoined(`${field}.shortNames[${index}]`, name)),
    ...(kind && kind === listKind ? [invalidValue(`${field}.listKind`, listKind, "kind and listKind may not be the same")] : []),
    ...categories.flatMap((name, index) => labelJoined(`${field}.categories[${index}]`, name)),
  ];
}

const knownReviewVersions = ["v1", "v1beta1"];

/** Said of the fields as Kubernetes has them inside: `webhookClientConfig`, not `webhook.clientConfig`. */
function validateConversion({ strategy, webhook }: Frozen<CustomResourceConversion>, old: Definition | undefined): FieldError[] {
  const field = "spec.conversion", errors = strategy === "None" || strategy === "Webhook" ? [] : [strategy ? notSupported(`${field}.strategy`, strategy, ["None", "Webhook"]) : required(`${field}.strategy`)];
  const { clientConfig, conversionReviewVersions = [] } = webhook ?? {};
  if (strategy !== "Webhook") {
    if (clientConfig) errors.push(forbiddenField(`${field}.webhookClientConfig`, "should not be set when strategy is not set to Webhook"));
    if (conversionReviewVersions.length > 0) errors.push(forbiddenField(`${field}.conversionReviewVersions`, "should not be set when strategy is not set to Webhook"));
    return errors;
  }
  const at = `${field}.webhookClientConfig`, { url, service } = clientConfig ?? {};
  if (!clientConfig) errors.push(required(at, "required when strategy is set to Webhook"));
  else if ((url === undefined) === (service === undefined)) errors.push(required(at, "exactly one of url or service is required"));
  else if (url !== undefined) errors.push(...webhookUrl(`${at}.url`, url));
  // Kubernetes hands the name over as the namespace and the reverse, which shows when one of them is missing.
  else errors.push(...webhookService(`${at}.service`, { ...service, name: service!.namespace, namespace: service!.name }));
  const was = old?.spec.conversion?.webhook?.conversionReviewVersions ?? [];
  const recognisedNeeded = was.length === 0 || was.some((version) => knownReviewVersions.includes(version));
  return [...errors, ...validateReviewVersions(`${field}.conversionReviewVersions`, conversionReviewVersions, recognisedNeeded)];
}

function validateReviewVersions(field: string, versions: readonly string[], recognisedNeeded: boolean): FieldError[] {
  if (versions.length === 0) return [required(field)];
  const errors = versions.flatMap((version, index) => {
    if (versions.indexOf(version) < index) return [invalidValue(`${field}[${index}]`, version, "duplicate version")];
    return dns1035LabelErrors(version).map((message) => invalidValue(`${field}[${index}]`, version, message));
  });
  const recognised = !recognisedNeeded || versions.some((version) => knownReviewVersions.includes(version));
  return recognised ? errors : [...errors, invalidValue(field, versions, `must include at least one of ${knownReviewVersions.join(", ")}`)];
}

function validateStatus(definition: Definition): FieldError[] {
  const field = "status.storedVersions", stored = definition.status?.storedVersions ?? [], versions = definition.spec.versions ?? [];
  const errors = validateAcceptedNames(definition);
  if (stored.length === 0) return [...errors, invalidValue(field, null, "must have at least one stored version")];
  for (const { name, storage } of versions) if (storage && !stored.includes(name)) errors.push(invalidValue(field, stored, `must have the storage version ${name}`));
  stored.forEach((version, index) => {
    if (versions.some(({ name }) => name === version)) return;
    errors.push(invalidValue(`${field}[${index}]`, version, `missing from spec.versions; ${version} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${version} and removes ${version} from status.storedVersions`));
  });
  return errors;
}

type Approval = "missing" | "bypassed" | "approved" | "invalid";

function approvalOf({ metadata: { annotations } }: Definition): Approval {
  const text = annotations?.[approvalAnnotation] ?? "";
  if (text === "") return "missing";
  if (text.startsWith("unapproved")) return "bypassed";
  return /^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?#\s]+/.test(text) ? "approved" : "invalid";
}

/** Groups of the Kubernetes community are for APIs that it has approved. */
function validateApproval(definition: Definition, old: Definition | undefined): FieldError[] {
  if (!/(?:^|\.)(?:k8s|kubernetes)\.io$/.test(definition.spec.group ?? "")) return [];
  const approval = approvalOf(definition), field = `metadata.annotations[${approvalAnnotation}]`;
  if ((old && approvalOf(old) === approval) || approval === "approved" || approval === "bypassed") return [];
  const rule = `protected groups must have approval annotation "${approvalAnnotation}"`, link = "see https://github.com/kubernetes/enhancements/pull/1111";
  if (approval === "missing") return [required(field, `${rule}, ${link}`)];
  return [invalidValue(field, definition.metadata.annotations?.[approvalAnnotation], `${rule} with either a URL or a reason starting with "unapproved", ${link}`)];
}

function validatePreserving({ spec }: Definition, old: Definition | undefined): FieldError[] {
  if (!spec.preserveUnknownFields || old?.spec.preserveUnknownFields) return [];
  return [invalidValue("spec.preserveUnknownFields", true, "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead")];
}
