import type { FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { CustomResourceDefinition, JSONSchemaProps } from "../generated/apiextensions/v1.ts";

/** One openAPIV3Schema of a definition that is to be stored. */
export interface SchemaUnderReview {
  schema: Frozen<JSONSchemaProps>;
  /** Where Kubernetes says it is: `spec.validation.openAPIV3Schema` when all versions have the same, else `spec.versions[1].schema.openAPIV3Schema`. */
  field: string;
  /** Whether the status subresource is on, which forbids some keywords at the root. */
  statusEnabled: boolean;
  /** The version's name; the first one's when all have the same schema. */
  version: string;
  /** What is stored, on update: what it holds already is not refused anew. */
  old: Frozen<CustomResourceDefinition> | undefined;
}

/** All that is wrong with a schema: structure, defaults, CEL rules. */
export type SchemaValidator = (review: SchemaUnderReview) => FieldError[];

/**
 * Schemas are understood above the cards, where custom resources are served. The server sets `validate` before its first request;
 * until then schemas are taken as they are.
 */
export const schemaRules: { validate: SchemaValidator } = { validate: () => [] };
