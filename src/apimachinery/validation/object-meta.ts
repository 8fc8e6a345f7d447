import { forbiddenField, invalidValue, required, tooLong, type FieldError } from "../field-errors.ts";
import type { Frozen, ObjectMeta, OwnerReference } from "../meta.ts";
import { semanticEqual } from "../equality.ts";
import { dns1123LabelErrors, labelValueErrors, nameIsDns1123Subdomain, qualifiedNameErrors } from "./names.ts";

type Meta = Frozen<ObjectMeta> | ObjectMeta;
export interface ObjectMetaRules {
  namespaced: boolean;
  /** Default: a DNS subdomain. `prefix` means that a generateName is asked about. */
  validateName?(name: string, prefix: boolean): string[];
  /** Default `metadata`. */
  field?: string;
  /** Finalizers need neither be Kubernetes' own nor begin with a domain and a slash. */
  anyFinalizer?: boolean;
}

/** k8s.io/apimachinery/pkg/api/validation ValidateObjectMeta, for what is about to be created. */
export function validateObjectMeta(meta: Meta, { namespaced, validateName = nameIsDns1123Subdomain, field = "metadata", anyFinalizer }: ObjectMetaRules): FieldError[] {
  const errors: FieldError[] = [];
  const { name, generateName, namespace } = meta;
  if (generateName) errors.push(...validateName(generateName, true).map((message) => invalidValue(`${field}.generateName`, generateName, message)));
  if (name) errors.push(...validateName(name, false).map((message) => invalidValue(`${field}.name`, name, message)));
  else errors.push(required(`${field}.name`, "name or generateName is required"));
  if (!namespaced) {
    if (namespace) errors.push(forbiddenField(`${field}.namespace`, "not allowed on this type"));
  } else if (!namespace) errors.push(required(`${field}.namespace`));
  else errors.push(...dns1123LabelErrors(namespace).map((message) => invalidValue(`${field}.namespace`, namespace, message)));
  if ((meta.generation ?? 0) < 0) errors.push(invalidValue(`${field}.generation`, meta.generation, "must be greater than or equal to 0"));
  return [...errors, ...validateSharedParts(meta, field, anyFinalizer)];
}

/**
 * ValidateObjectMetaUpdate, for what is about to replace `old`. Whether a resourceVersion is needed is the registry's to say, and it has
 * already taken over from `old` what clients leave out (uid, creationTimestamp).
 */
export function validateObjectMetaUpdate(meta: Meta, old: Meta, { field = "metadata", anyFinalizer }: Pick<ObjectMetaRules, "field" | "anyFinalizer"> = {}): FieldError[] {
  const errors: FieldError[] = [];
  if (old.deletionTimestamp) {
    const added = (meta.finalizers ?? []).filter((finalizer) => !old.finalizers?.includes(finalizer));
    if (added.length > 0) errors.push(forbiddenField(`${field}.finalizers`, `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added.map((f) => JSON.stringify(f)).join(", ")}}`));
  }
  if ((meta.generation ?? 0) < (old.generation ?? 0)) errors.push(invalidValue(`${field}.generation`, meta.generation ?? 0, "must not be decremented"));
  for (const key of ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"] as const) {
    if (meta[key] !== old[key]) errors.push(...validateImmutableField(meta[key], old[key], `${field}.${key}`));
  }
  return [...errors, ...validateSharedParts(meta, field, anyFinalizer)];
}

function validateSharedParts(meta: Meta, field: string, anyFinalizer = false): FieldError[] {
  const { labels, annotations, ownerReferences, finalizers } = meta;
  return [
    ...(labels ? validateLabels(labels, `${field}.labels`) : []),
    ...(annotations ? validateAnnotations(annotations, `${field}.annotations`) : []),
    ...(ownerReferences ? validateOwnerReferences(ownerReferences, `${field}.ownerReferences`) : []),
    ...(finalizers ? validateFinalizers(finalizers, `${field}.finalizers`, anyFinalizer) : []),
  ];
}

export const immutableMessage = "field is immutable";

export function validateImmutableField(value: unknown, old: unknown, field: string): FieldError[] {
  return semanticEqual(value, old) ? [] : [invalidValue(field, value, immutableMessage)];
}

export function validateLabels(labels: Readonly<Record<string, string>> | undefined, field: string): FieldError[] {
  return Object.entries(labels ?? {}).flatMap(([key, value]) => [
    ...qualifiedNameErrors(key).map((message) => invalidValue(field, key, message)),
    ...labelValueErrors(value).map((message) => invalidValue(field, value, message)),
  ]);
}

/** All keys and values together, in bytes. */
const mostAnnotationBytes = 256 * 1024;

export function validateAnnotations(annotations: Readonly<Record<string, string>> | undefined, field: string): FieldError[] {
  const errors: FieldError[] = [];
  let size = 0;
  for (const [key, value] of Object.entries(annotations ?? {})) {
    errors.push(...qualifiedNameErrors(key.toLowerCase()).map((message) => invalidValue(field, key, message)));
    size += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (size > mostAnnotationBytes) errors.push(tooLong(field, mostAnnotationBytes));
  return errors;
}

function validateOwnerReferences(references: readonly Frozen<OwnerReference>[], field: string): FieldError[] {
  const errors: FieldError[] = [];
  let controller: string | undefined;
  for (const reference of references) {
    const { apiVersion = "", kind, name, uid } = reference;
    if (apiVersion.slice(apiVersion.indexOf("/") + 1) === "") errors.push(invalidValue(`${field}.apiVersion`, apiVersion, "version must not be empty"));
    for (const [key, value] of Object.entries({ kind, name, uid })) if (!value) errors.push(invalidValue(`${field}.${key}`, value ?? "", "must not be empty"));
    if (kind === "Event" && apiVersion === "v1") errors.push(invalidValue(field, reference, "/v1, Kind=Event is disallowed from being an owner"));
    if (!reference.controller) continue;
    const own = `${kind}/${name}`;
    if (controller !== undefined) errors.push(invalidValue(field, references, `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${own}`));
    controller ??= own;
  }
  return errors;
}

/** The finalizers without a domain that Kubernetes itself sets. Source: k8s.io/kubernetes/pkg/apis/core/helper IsStandardFinalizerName. */
const standardFinalizers = new Set(["kubernetes", "orphan", "foregroundDeletion"]);

export function validateFinalizers(finalizers: readonly string[], field: string, any = false): FieldError[] {
  const errors = finalizers.flatMap((finalizer) => qualifiedNameErrors(finalizer).map((message) => invalidValue(field, finalizer, message)));
  for (const [index, finalizer] of any ? [] : finalizers.entries()) {
    if (!finalizer.includes("/") && !standardFinalizers.has(finalizer)) errors.push(invalidValue(`${field}[${index}]`, finalizer, "name is neither a standard finalizer name nor is it fully qualified"));
  }
  if (finalizers.includes("orphan") && finalizers.includes("foregroundDeletion")) {
    errors.push(invalidValue(field, finalizers, "finalizer orphan and foregroundDeletion cannot be both set"));
  }
  return errors;
}
