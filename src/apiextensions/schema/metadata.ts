import { invalidValue, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { ObjectMeta } from "../../apimachinery/meta.ts";
import { isObject, setOwn, type JsonObject } from "../../apimachinery/own.ts";
import { decode } from "../../apimachinery/schema/decode.ts";
import { StatusError } from "../../apimachinery/status.ts";
import { dns1035LabelErrors } from "../../apimachinery/validation/names.ts";
import { validateObjectMeta } from "../../apimachinery/validation/object-meta.ts";
import { additionalOf, fieldSchemaOf, isEmbedded, itemsOf, propertyOf, type Schema } from "./schema.ts";
import { replaced } from "./pruning.ts";

const metaType = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/** `spec.pod` and `spec.pods[key]`: what the schema names stands behind a dot, keys of maps in brackets. */
export function childPath(field: string, schema: Schema, name: string): string {
  if (!propertyOf(schema, name) && additionalOf(schema)) return `${field}[${name}]`;
  return field ? `${field}.${name}` : name;
}

export interface CoerceOptions {
  /** What can't be read is left out, as it is of stored objects, instead of being an error. */
  dropInvalid?: boolean;
  /** Receives the paths of what is pruned. */
  unknown?: string[];
}

/** Ends coercion: the metadata of a resource, embedded or not, isn't metadata. */
export class CoercionError extends Error {
  constructor(readonly field: FieldError, text = `${field.field}: ${field.message}`) {
    super(text);
  }
}

/**
 * Reads metadata of resources as the API's ObjectMeta and checks that apiVersion and kind are strings; what needs no change is not copied.
 * Throws a CoercionError. Source: k8s.io/apiextensions-apiserver pkg/apiserver/schema/objectmeta.
 */
export function coerced<T>(value: T, schema: Schema | undefined, options: CoerceOptions = {}, field = ""): T {
  if (!schema) return value;
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    let result: unknown[] | undefined;
    for (let i = 0; i < value.length; i++) {
      const item = coerced(value[i], items, options, `${field}[${i}]`);
      if (item !== value[i]) (result ??= [...value])[i] = item;
    }
    return (result ?? value) as T;
  }
  if (!isObject(value)) return value;
  let result: JsonObject = value;
  for (const name of Object.keys(value)) {
    let given = value[name];
    if (isEmbedded(schema) && name === "metadata") {
      given = coercedMetadata(given, `${field ? `${field}.` : ""}metadata`, options);
      result = replaced(result, value, name, given);
    } else if (isEmbedded(schema) && (name === "apiVersion" || name === "kind") && typeof given !== "string") {
      if (!options.dropInvalid) throw new CoercionError(invalidValue(childPath(field, schema, name), given, "must be a string"));
      if (result === value) result = { ...value };
      delete result[name];
      continue;
    }
    const complete = coerced(given, fieldSchemaOf(schema, name), options, childPath(field, schema, name));
    if (complete === result[name]) continue;
    if (result === value) result = { ...value };
    setOwn(result, name, complete);
  }
  return result as T;
}

function coercedMetadata(given: unknown, field: string, { dropInvalid = false, unknown }: CoerceOptions): unknown {
  try {
    const { object, unknownFields } = decode<JsonObject>(metaType, given ?? {}, { fieldValidation: unknown ? "Warn" : "Ignore" });
    for (const text of unknownFields) unknown!.push(`${field}.${JSON.parse(text.slice("unknown field ".length)) as string}`);
    return Bun.deepEquals(object, given) ? given : object;
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    const text = error.message.replace(/^.*? cannot be handled as a ObjectMeta: /s, "");
    // Of the resource's own metadata Kubernetes says only what is wrong in it.
    if (!dropInvalid) throw new CoercionError(invalidValue(field, given, text), field === "metadata" ? text : undefined);
    return isObject(given) ? readableParts(given) : {};
  }
}

/** Field by field, what can be read. */
function readableParts(given: JsonObject): JsonObject {
  const kept: JsonObject = {};
  for (const name of Object.keys(given)) {
    try {
      Object.assign(kept, decode<JsonObject>(metaType, { [name]: given[name] }).object);
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
    }
  }
  return kept;
}

/** What is wrong with embedded resources; the root counts as one only where `schema` says so. */
export function validateEmbedded(value: unknown, schema: Schema | undefined, field = ""): FieldError[] {
  if (!schema) return [];
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    return items ? value.flatMap((item, i) => validateEmbedded(item, items, `${field}[${i}]`)) : [];
  }
  if (!isObject(value)) return [];
  const errors = isEmbedded(schema) ? validateResource(value, field) : [];
  for (const name of Object.keys(value)) {
    const inner = fieldSchemaOf(schema, name);
    if (inner) errors.push(...validateEmbedded(value[name], inner, childPath(field, schema, name)));
  }
  return errors;
}

function validateResource(value: JsonObject, field: string): FieldError[] {
  const at = (name: string): string => (field ? `${field}.${name}` : name);
  const errors = ["apiVersion", "kind"].flatMap((name) => (Object.hasOwn(value, name) ? validateTypeMeta(name, value[name], at(name)) : [required(at(name))]));
  if (!Object.hasOwn(value, "metadata")) return errors;
  try {
    const meta = decode<ObjectMeta>(metaType, value["metadata"] ?? {}).object;
    const name = meta.name || "fakename";
    return [...errors, ...validateObjectMeta({ ...meta, name }, { namespaced: Boolean(meta.namespace), validateName: pathSegmentErrors, field: at("metadata"), anyFinalizer: true })];
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    return [...errors, invalidValue(at("metadata"), value["metadata"], error.message.replace(/^.*? cannot be handled as a ObjectMeta: /s, ""))];
  }
}

function validateTypeMeta(name: string, value: unknown, field: string): FieldError[] {
  if (typeof value !== "string") return [invalidValue(field, value, "must be a string")];
  if (value === "") return [invalidValue(field, value, "must not be empty")];
  if (name === "apiVersion") return value.split("/").length > 2 ? [invalidValue(field, value, `unexpected GroupVersion string: ${value}`)] : [];
  const wrong = dns1035LabelErrors(value.toLowerCase());
  return wrong.length > 0 ? [invalidValue(field, value, `may have mixed case, but should otherwise match: ${wrong.join(",")}`)] : [];
}

/** k8s.io/apimachinery IsPathSegmentName and IsPathSegmentPrefix. */
function pathSegmentErrors(name: string, prefix: boolean): string[] {
  if (!prefix && (name === "." || name === "..")) return [`may not be '${name}'`];
  return ["/", "%"].filter((character) => name.includes(character)).map((character) => `may not contain '${character}'`);
}
