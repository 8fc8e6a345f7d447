import { forbiddenField, invalidValue, render, required, type FieldError } from "../../apimachinery/field-errors.ts";
import { compileRegex } from "../../cel/library/re2.ts";
import { CelError } from "../../cel/values/value.ts";
import { additionalOf, isEmbedded, itemsOf, preserves, propertyOf, type Schema } from "../schema/schema.ts";

type Level = "root" | "item" | "field";
const isIntOrString = (schema: Schema): boolean => schema["x-kubernetes-int-or-string"] === true;
const keyed = (field: string, name: string): string => `${field}.properties[${name}]`;

/**
 * Whether a schema is structural: what is said of a value's shape stands outside of allOf, anyOf, oneOf and not, and what these
 * speak of is specified outside, too. Sorted by text. Source: k8s.io/apiextensions-apiserver pkg/apiserver/schema ValidateStructural.
 */
export function validateStructural(schema: Schema, field: string): FieldError[] {
  return [...invariants(schema, "root", field), ...completeness(schema, schema, field, field)].toSorted((a, b) => (render(a) < render(b) ? -1 : 1));
}

/** Why no structural form can be made at all. */
export function unsupportedKeyword(schema: Schema): string | undefined {
  const says = (keyword: string): string => `OpenAPIV3Schema '${keyword}' is not supported`;
  if (schema.id) return says("id");
  if (schema.$schema) return says("schema");
  if (schema.$ref) return says("$ref");
  if (Object.keys(schema.patternProperties ?? {}).length > 0) return says("patternProperties");
  if (Object.keys(schema.dependencies ?? {}).length > 0) return says("dependencies");
  if (schema.additionalItems !== undefined) return says("additionalItems");
  if (Object.keys(schema.definitions ?? {}).length > 0) return says("definitions");
  if (schema["x-kubernetes-preserve-unknown-fields"] === false) return "internal error: 'x-kubernetes-preserve-unknown-fields' must be true or undefined";
  if (Array.isArray(schema.items)) return "OpenAPIV3Schema 'items' must be a schema, but is an array";
  for (const inner of [...junctorsOf(schema).map(({ schema: one }) => one), itemsOf(schema), ...Object.values(schema.properties ?? {}), additionalOf(schema)]) {
    const found = inner && unsupportedKeyword(inner);
    if (found) return found;
  }
  return undefined;
}

interface Clause {
  schema: Schema;
  /** `.anyOf[1]`. */
  suffix: string;
}

function junctorsOf(schema: Schema): Clause[] {
  const lists = (["anyOf", "allOf", "oneOf"] as const).flatMap((name) => (schema[name] ?? []).map((one, i) => ({ schema: one, suffix: `.${name}[${i}]` })));
  return schema.not ? [...lists, { schema: schema.not, suffix: ".not" }] : lists;
}

function invariants(schema: Schema, level: Level, field: string): FieldError[] {
  const items = itemsOf(schema), additional = additionalOf(schema);
  const errors: FieldError[] = schema.type === "array" && !items ? [required(`${field}.items`, "must be specified")] : [];
  if (items) errors.push(...invariants(items, "item", `${field}.items`));
  for (const [name, property] of Object.entries(schema.properties ?? {})) errors.push(...invariants(property, "field", keyed(field, name)));
  if (schema.additionalProperties !== undefined && level === "root") errors.push(forbiddenField(`${field}.additionalProperties`, "must not be used at the root"));
  if (additional) errors.push(...invariants(additional, "field", `${field}.additionalProperties`));
  if (isIntOrString(schema) && preserves(schema)) errors.push(invalidValue(`${field}.x-kubernetes-preserve-unknown-fields`, true, "must be false if x-kubernetes-int-or-string is true"));
  if (isIntOrString(schema) && isEmbedded(schema)) errors.push(invalidValue(`${field}.x-kubernetes-embedded-resource`, true, "must be false if x-kubernetes-int-or-string is true"));
  errors.push(...valueRules(schema, isIntOrStringAnyOf(schema), isIntOrStringAnyOf(schema.allOf?.[0]), field));
  return [...errors, ...typeRules(schema, level, field), ...metadataRules(schema, level, field)];
}

function typeRules(schema: Schema, level: Level, field: string): FieldError[] {
  const { type = "" } = schema, errors: FieldError[] = [];
  const embedded = "must be object if x-kubernetes-embedded-resource is true";
  if (isEmbedded(schema) && type !== "object") errors.push(type === "" ? required(`${field}.type`, embedded) : invalidValue(`${field}.type`, type, embedded));
  else if (type === "" && !isIntOrString(schema) && !preserves(schema)) {
    errors.push(required(`${field}.type`, { root: "must not be empty at the root", item: "must not be empty for specified array items", field: "must not be empty for specified object fields" }[level]));
  }
  if (isEmbedded(schema) && schema.additionalProperties !== undefined) errors.push(forbiddenField(`${field}.additionalProperties`, "must not be used if x-kubernetes-embedded-resource is set"));
  if (level === "root" && type !== "" && type !== "object") errors.push(invalidValue(`${field}.type`, type, "must be object at the root"));
  return errors;
}

function metadataRules(schema: Schema, level: Level, field: string): FieldError[] {
  const errors: FieldError[] = [], ofResource = level === "root" || isEmbedded(schema);
  for (const name of ofResource ? ["kind", "apiVersion"] : []) {
    const property = propertyOf(schema, name);
    if (property && property.type !== "string") errors.push(invalidValue(`${keyed(field, name)}.type`, property.type ?? "", "must be string"));
  }
  const metadata = propertyOf(schema, "metadata");
  if (metadata && ofResource && metadata.type !== "object") errors.push(invalidValue(`${keyed(field, "metadata")}.type`, metadata.type ?? "", "must be object"));
  if (metadata && level === "root" && !isPlainMetadata(metadata)) {
    errors.push(forbiddenField(keyed(field, "metadata"), "must not specify anything other than name and generateName, but metadata is implicitly specified"));
  }
  if (isEmbedded(schema) && !preserves(schema) && Object.keys(schema.properties ?? {}).length === 0) {
    errors.push(required(`${field}.properties`, "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"));
  }
  return errors;
}

const isPlainMetadata = ({ type: _type, default: _default, properties = {}, ...rest }: Schema): boolean =>
  Object.keys(properties).every((name) => name === "name" || name === "generateName") && Object.values(rest).every((value) => value === undefined || value === "" || value === false || (Array.isArray(value) && value.length === 0));

/** `anyOf: [{type: integer}, {type: string}]` and nothing else there. */
function isIntOrStringAnyOf(schema: Schema | undefined): boolean {
  const anyOf = schema?.anyOf ?? [];
  return anyOf.length === 2 && ["integer", "string"].every((type, i) => Bun.deepEquals(anyOf[i], { type }));
}

function valueRules(schema: Schema, skipAnyOf: boolean, skipFirstAllOfAnyOf: boolean, field: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const { schema: clause, suffix } of junctorsOf(schema)) {
    if (skipAnyOf && suffix.startsWith(".anyOf")) continue;
    errors.push(...nestedRules(clause, skipFirstAllOfAnyOf && suffix === ".allOf[0]", field + suffix));
  }
  const compiled = schema.pattern ? compileRegex(schema.pattern) : undefined;
  if (compiled instanceof CelError) errors.push(invalidValue(`${field}.pattern`, schema.pattern, `must be a valid regular expression, but isn't: ${compiled.message}`));
  return errors;
}

function nestedRules(schema: Schema, skipAnyOf: boolean, field: string): FieldError[] {
  const errors = valueRules(schema, skipAnyOf, false, field), items = itemsOf(schema);
  if (items) errors.push(...nestedRules(items, false, `${field}.items`));
  for (const [name, property] of Object.entries(schema.properties ?? {})) errors.push(...nestedRules(property, false, keyed(field, name)));
  const must = (be: string, keyword: keyof Schema): void => {
    errors.push(forbiddenField(`${field}.${keyword}`, `must be ${be} to be structural`));
  };
  if (schema.type) must("empty", "type");
  if (typeof schema.additionalProperties === "object" || schema.additionalProperties === true) must("undefined", "additionalProperties");
  if (schema.default !== undefined) must("undefined", "default");
  if (schema.title) must("empty", "title");
  if (schema.description) must("empty", "description");
  if (schema.nullable) must("false", "nullable");
  for (const keyword of ["x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource", "x-kubernetes-int-or-string"] as const) if (schema[keyword]) must("false", keyword);
  if (schema["x-kubernetes-list-map-keys"]?.length) must("empty", "x-kubernetes-list-map-keys");
  for (const keyword of ["x-kubernetes-list-type", "x-kubernetes-map-type"] as const) if (schema[keyword] !== undefined) must("undefined", keyword);
  if (schema["x-kubernetes-validations"]?.length) must("empty", "x-kubernetes-validations");
  if (propertyOf(schema, "metadata")) errors.push(forbiddenField(keyed(field, "metadata"), "must not be specified in a nested context"));
  return errors;
}

/** That `clause`, found at `at`, speaks only of what `schema` specifies. */
function completeness(clause: Schema, schema: Schema | undefined, field: string, at: string): FieldError[] {
  return junctorsOf(clause).flatMap((inner) => nestedCompleteness(inner.schema, schema, field, at + inner.suffix));
}

function nestedCompleteness(clause: Schema, schema: Schema | undefined, field: string, at: string): FieldError[] {
  const missing = (path: string, why: string): FieldError[] => [required(path, `because it is defined in ${why}`)];
  if (!schema) return missing(field, at);
  const errors = completeness(clause, schema, field, at), items = itemsOf(clause);
  if (items) errors.push(...nestedCompleteness(items, itemsOf(schema), `${field}.items`, `${at}.items`));
  for (const [name, property] of Object.entries(clause.properties ?? {})) {
    const specified = propertyOf(schema, name);
    errors.push(...(specified ? nestedCompleteness(property, specified, keyed(field, name), keyed(at, name)) : missing(keyed(field, name), keyed(at, name))));
  }
  return errors;
}
