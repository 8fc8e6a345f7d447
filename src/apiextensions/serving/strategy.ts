import { invalidValue, type FieldError, type FieldErrorReason } from "../../apimachinery/field-errors.ts";
import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import type { JsonObject } from "../../apimachinery/own.ts";
import type { Strategy } from "../../apimachinery/resource.ts";
import { forbidden } from "../../apimachinery/status.ts";
import { qualifiedNameErrors } from "../../apimachinery/validation/names.ts";
import type { CustomResourceSubresourceScale } from "../../apis/generated/apiextensions/v1.ts";
import { validateEmbedded } from "../schema/metadata.ts";
import { validateListTypes } from "../schema/list-type.ts";
import { propertyOf, type Schema } from "../schema/schema.ts";
import { hasRules } from "../rules/compiled-rules.ts";
import { runRules } from "../rules/run-rules.ts";
import { validateValue } from "../validation/value.ts";
import { validateScaleSpec, validateScaleStatus } from "./scale.ts";
import type { ServedSchema } from "./served-schema.ts";

export interface CustomStrategyOptions {
  group: string;
  resource: string;
  schema: ServedSchema;
  hasStatus: boolean;
  scale: Frozen<CustomResourceSubresourceScale> | undefined;
  /** The definition is being deleted: nothing new is let in. */
  terminating(): boolean;
}

/** Source: k8s.io/apiextensions-apiserver pkg/registry/customresource. */
export function customStrategy({ group, resource, schema, hasStatus, scale, terminating }: CustomStrategyOptions): Strategy<KubeObject> {
  const scaleErrors = (object: unknown): FieldError[] => (scale ? [...validateScaleSpec(object, scale), ...validateScaleStatus(object, scale)] : []);

  return {
    allowUnconditionalUpdate: false,
    resetFields: { status: [["metadata"], ["spec"]] },
    prepareForCreate(object) {
      if (terminating()) throw forbidden({ group, resource }, object.metadata.name ?? "", "create not allowed while custom resource definition is terminating");
      if (hasStatus) delete (object as { status?: unknown }).status;
      object.metadata.generation = 1;
    },
    prepareForStatusUpdate(object, old) {
      const { managedFields, resourceVersion } = object.metadata;
      object.metadata = { ...structuredClone(old.metadata) as KubeObject["metadata"], resourceVersion };
      if (managedFields) object.metadata.managedFields = managedFields;
    },
    generationChanged: (object, old) => !Bun.deepEquals(withoutMetadata(object), withoutMetadata(old)),
    validate(object) {
      const known = schema.value;
      if (!known) return scaleErrors(object);
      return withRules([...validateValue(object, known), ...scaleErrors(object), ...validateEmbedded(object, rootOf(known)), ...validateListTypes(object, known)], known, object, undefined);
    },
    validateUpdate(object, old) {
      const known = schema.value;
      if (!known) return scaleErrors(object);
      const listErrors = validateListTypes(old, known).length === 0 ? validateListTypes(object, known) : [];
      return withRules([...validateValue(object, known, { old }), ...scaleErrors(object), ...validateEmbedded(object, rootOf(known)), ...listErrors], known, object, old);
    },
    validateStatusUpdate(object, old) {
      const known = schema.value, statusSchema = known && propertyOf(known, "status");
      const { status } = object as { status?: unknown }, was = (old as { status?: unknown }).status;
      const errors = statusSchema && status !== undefined ? validateValue(status, statusSchema, { field: "status", old: was }) : [];
      if (scale) errors.push(...validateScaleStatus(object, scale));
      if (!known) return errors;
      const listErrors = validateListTypes(old, known).length === 0 ? validateListTypes(object, known) : [];
      return withRules([...errors, ...listErrors], known, object, old);
    },
    warnings: (object, old) => (object.metadata.finalizers ?? []).filter((name) => !old?.metadata.finalizers?.includes(name)).toSorted().flatMap(finalizerWarnings),
  };
}

/** The resource itself is no embedded resource: its metadata is validated as every object's. */
const rootOf = (schema: Schema): Schema => ({ ...schema, "x-kubernetes-embedded-resource": false });

function withoutMetadata(object: object): object {
  const { metadata: _, ...rest } = object as JsonObject;
  return rest;
}

/** What keeps CEL rules from being checked. */
const blocking: ReadonlySet<FieldErrorReason> = new Set(["FieldValueNotSupported", "FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany", "FieldValueTypeInvalid"]);

/** Adds what the rules say, unless what is wrong already could make them say nonsense. */
function withRules(errors: FieldError[], schema: Schema, object: unknown, old: unknown): FieldError[] {
  if (!hasRules(schema)) return errors;
  if (errors.some(({ reason }) => blocking.has(reason))) return [...errors, invalidValue("<nil>", undefined, "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation")];
  return [...errors, ...runRules(object, schema, old === undefined ? {} : { old })];
}

const standardFinalizers = new Set(["orphan", "foregroundDeletion", "kubernetes"]);

function finalizerWarnings(name: string): string[] {
  const about = `metadata.finalizers: ${JSON.stringify(name)}`, warnings = qualifiedNameErrors(name).map((message) => `${about}: ${message}`);
  if (name.includes("/") || standardFinalizers.has(name)) return warnings;
  return [...warnings, `${about}: prefer a domain-qualified finalizer name${name.includes(".") ? " including a path (/)" : ""} to avoid accidental conflicts with other finalizer writers`];
}
