import { forbiddenField, invalidValue, notSupported, required, type FieldError } from "../../apimachinery/field-errors.ts";
import { additionalOf, isEmbedded, itemsOf, typeMetaAndMetadata, type Schema } from "../schema/schema.ts";
import { isFieldPath } from "./field-path.ts";

/** What holds where a schema stands. */
interface Place {
  /** Why defaults may not be set here; undefined where they may. */
  noDefaults?: string;
  insideMetadata: boolean;
  root: boolean;
}

const types = ["array", "boolean", "integer", "number", "object", "string"];
const reasons = ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];
const child = (field: string, name: string): string => `${field}.properties[${name}]`;

/** Which keywords may be used, with which values and beside which others. Source: k8s.io/apiextensions-apiserver ValidateCustomResourceDefinitionOpenAPISchema. */
export const validateKeywords = (schema: Schema, field: string): FieldError[] => keywords(schema, field, { insideMetadata: false, root: true });

function keywords(schema: Schema | undefined, field: string, place: Place): FieldError[] {
  if (!schema) return [];
  const inner: Place = { ...place, root: false }, additional = additionalOf(schema);
  const errors = supported(schema, field, place);
  if (schema.uniqueItems) errors.push(forbiddenField(`${field}.uniqueItems`, "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"));
  if (schema.additionalProperties !== undefined) {
    if (Object.keys(schema.properties ?? {}).length > 0 && schema.additionalProperties !== true) errors.push(forbiddenField(`${field}.additionalProperties`, "additionalProperties and properties are mutual exclusive"));
    const noDefaults = place.insideMetadata ? "inside additionalProperties applying to object metadata" : place.noDefaults;
    errors.push(...keywords(additional, `${field}.additionalProperties`, { ...inner, ...(noDefaults === undefined ? {} : { noDefaults }) }));
  }
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const ofMetadata = (place.root || isEmbedded(schema)) && typeMetaAndMetadata.has(name);
    errors.push(...keywords(property, child(field, name), {
      ...inner, ...(ofMetadata ? { insideMetadata: true } : {}), ...(ofMetadata && place.root ? { noDefaults: `in top-level ${name}` } : {}),
    }));
  }
  errors.push(...keywords(schema.not, `${field}.not`, inner));
  for (const junctor of ["allOf", "oneOf", "anyOf"] as const) for (const [i, one] of (schema[junctor] ?? []).entries()) errors.push(...keywords(one, `${field}.${junctor}[${i}]`, inner));
  errors.push(...keywords(itemsOf(schema), `${field}.items`, inner));
  return [...errors, ...extensions(schema, field), ...ruleTexts(schema, field)];
}

function supported(schema: Schema, field: string, { noDefaults, insideMetadata }: Place): FieldError[] {
  const errors: FieldError[] = [], not = (keyword: string): void => void errors.push(forbiddenField(`${field}.${keyword}`, `${keyword} is not supported`));
  if (schema.type && !types.includes(schema.type)) errors.push(notSupported(`${field}.type`, schema.type, types));
  if (schema.default !== undefined && noDefaults !== undefined) errors.push(forbiddenField(`${field}.default`, `must not be set ${noDefaults}`));
  if (schema.id) not("id");
  if (schema.additionalItems !== undefined) not("additionalItems");
  if (Object.keys(schema.patternProperties ?? {}).length > 0) not("patternProperties");
  if (Object.keys(schema.definitions ?? {}).length > 0) not("definitions");
  if (schema.dependencies !== undefined) not("dependencies");
  if (schema.$ref !== undefined) not("$ref");
  if (schema.type === "null") errors.push(forbiddenField(`${field}.type`, "type cannot be set to null, use nullable as an alternative"));
  if (Array.isArray(schema.items) && schema.items.length > 0) errors.push(forbiddenField(`${field}.items`, "items must be a schema object and not an array"));
  if (insideMetadata && isEmbedded(schema)) errors.push(forbiddenField(`${field}.x-kubernetes-embedded-resource`, "must not be used inside of resource meta"));
  return errors;
}

function extensions(schema: Schema, field: string): FieldError[] {
  const { type = "", "x-kubernetes-map-type": mapType, "x-kubernetes-list-type": listType, "x-kubernetes-list-map-keys": keys = [] } = schema;
  const errors: FieldError[] = [];
  const mustBe = (wanted: string, keyword: string): void => {
    const detail = `must be ${wanted} if ${keyword} is specified`;
    errors.push(type === "" ? required(`${field}.type`, detail) : invalidValue(`${field}.type`, type, detail));
  };
  if (schema["x-kubernetes-preserve-unknown-fields"] === false) errors.push(invalidValue(`${field}.x-kubernetes-preserve-unknown-fields`, false, "must be true or undefined"));
  if (mapType !== undefined && type !== "object") mustBe("object", "x-kubernetes-map-type");
  if (mapType !== undefined && !["atomic", "granular"].includes(mapType)) errors.push(notSupported(`${field}.x-kubernetes-map-type`, mapType, ["atomic", "granular"]));
  if (listType !== undefined && type !== "array") mustBe("array", "x-kubernetes-list-type");
  else if (listType === "set") errors.push(...setItems(itemsOf(schema), `${field}.items`));
  if (listType !== undefined && !["atomic", "set", "map"].includes(listType)) errors.push(notSupported(`${field}.x-kubernetes-list-type`, listType, ["atomic", "set", "map"]));
  if (keys.length > 0 && listType !== "map") {
    const detail = "must be map if x-kubernetes-list-map-keys is non-empty";
    errors.push(listType === undefined ? required(`${field}.x-kubernetes-list-type`, detail) : invalidValue(`${field}.x-kubernetes-list-type`, listType, detail));
  }
  if (listType === "map") errors.push(...mapItems(schema, keys, field));
  if (listType === "set" || listType === "map") errors.push(...mergeableItems(schema, listType, keys, field));
  return errors;
}

function setItems(items: Schema | undefined, field: string): FieldError[] {
  const listType = items?.["x-kubernetes-list-type"], detail = "must be atomic as item of a list with x-kubernetes-list-type=set";
  if (items?.type === "array" && listType !== undefined && listType !== "atomic") return [invalidValue(`${field}.x-kubernetes-list-type`, listType, detail)];
  if (items?.type === "object" && items["x-kubernetes-map-type"] !== "atomic") return [invalidValue(`${field}.x-kubernetes-map-type`, listType ?? null, detail)];
  return [];
}

function mapItems(schema: Schema, keys: readonly string[], field: string): FieldError[] {
  const items = itemsOf(schema), errors: FieldError[] = [];
  if (keys.length === 0) errors.push(required(`${field}.x-kubernetes-list-map-keys`, "must not be empty if x-kubernetes-list-type is map"));
  if (schema.items === undefined) errors.push(required(`${field}.items`, "must have a schema if x-kubernetes-list-type is map"));
  else if (!items) errors.push(invalidValue(`${field}.items`, schema.items, "must only have a single schema if x-kubernetes-list-type is map"));
  if (!items) return errors;
  if (items.type !== "object") return [...errors, invalidValue(`${field}.items.type`, items.type ?? "", "must be object if parent array's x-kubernetes-list-type is map")];
  keys.forEach((key, i) => {
    const property = items.properties?.[key];
    if (!property) errors.push(invalidValue(`${field}.x-kubernetes-list-map-keys`, keys, "entries must all be names of item properties"));
    else if (property.type === "array" || property.type === "object") errors.push(invalidValue(`${child(`${field}.items`, key)}.type`, items.type, "must be a scalar type if parent array's x-kubernetes-list-type is map"));
    if (keys.indexOf(key) < i) errors.push(invalidValue(`${field}.x-kubernetes-list-map-keys`, keys, "must not contain duplicate entries"));
  });
  return errors;
}

/** Items that are merged can't be null, nor lack what tells them apart. */
function mergeableItems(schema: Schema, listType: "set" | "map", keys: readonly string[], field: string): FieldError[] {
  const items = itemsOf(schema), errors: FieldError[] = [];
  if (!items) return errors;
  if (items.nullable) errors.push(forbiddenField(`${field}.items.nullable`, `cannot be nullable when x-kubernetes-list-type is ${listType}`));
  for (const key of listType === "map" ? keys : []) {
    const property = items.properties?.[key], at = child(`${field}.items`, key);
    if (!property) continue;
    if (!items.required?.includes(key) && property.default === undefined) errors.push(required(`${at}.default`, "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"));
    if (property.nullable) errors.push(forbiddenField(`${at}.nullable`, "this property is in x-kubernetes-list-map-keys, so it cannot be nullable"));
  }
  return errors;
}

/** The texts of x-kubernetes-validations; their expressions are compiled elsewhere. */
function ruleTexts(schema: Schema, field: string): FieldError[] {
  return (schema["x-kubernetes-validations"] ?? []).flatMap(({ rule = "", message = "", messageExpression = "", reason, fieldPath = "" }, i) => {
    const at = `${field}.x-kubernetes-validations[${i}]`, errors: FieldError[] = [], says = message.trim();
    if (rule.trim() === "") errors.push(required(`${at}.rule`, "rule is not specified"));
    else if (message !== "" && says === "") errors.push(invalidValue(`${at}.message`, message, "must be non-empty if specified"));
    else if (/[\n\r]/.test(says)) errors.push(invalidValue(`${at}.message`, message, "must not contain line breaks"));
    else if (/[\n\r]/.test(rule.trim()) && says === "") errors.push(required(`${at}.message`, "message must be specified if rule contains line breaks"));
    if (messageExpression !== "" && messageExpression.trim() === "") errors.push(required(`${at}.messageExpression`, "messageExpression must be non-empty if specified"));
    if (reason !== undefined && !reasons.includes(reason)) errors.push(notSupported(`${at}.reason`, reason, reasons));
    if (fieldPath !== "" && fieldPath.trim() === "") errors.push(invalidValue(`${at}.fieldPath`, fieldPath, "must be non-empty if specified"));
    if (/[\n\r]/.test(fieldPath)) errors.push(invalidValue(`${at}.fieldPath`, fieldPath, "must not contain line breaks"));
    if (fieldPath !== "" && !isFieldPath(fieldPath, schema)) errors.push(invalidValue(`${at}.fieldPath`, fieldPath, "must be a valid path"));
    return errors;
  });
}
