import { duplicate, invalidValue, required, tooMany, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { CustomResourceColumnDefinition, CustomResourceSubresources, JSONSchemaProps, SelectableField } from "../generated/apiextensions/v1.ts";

/** What a version of a definition says beside its schema. Source: k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation. */

const columnTypes = ["boolean", "date", "integer", "number", "string"];
const columnFormats = ["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];
const mostSelectableFields = 8;

export function validateDeprecation(field: string, deprecated: boolean | undefined, warning: string | undefined): FieldError[] {
  if (warning === undefined) return [];
  const wrong = (message: string): FieldError => invalidValue(`${field}.deprecationWarning`, warning, message);
  if (!deprecated) return [wrong("can only be set for deprecated versions")];
  const unprintable = warning.search(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u);
  return [
    ...(Buffer.byteLength(warning) > 256 ? [wrong("must be <= 256 characters long")] : []),
    ...(warning === "" ? [wrong("must not be an empty string")] : []),
    ...(unprintable >= 0 ? [wrong(`must only contain printable UTF-8 characters; non-printable character found at index ${Buffer.byteLength(warning.slice(0, unprintable))}`)] : []),
  ];
}

export function validateSubresources(field: string, subresources: Frozen<CustomResourceSubresources> | undefined): FieldError[] {
  if (!subresources?.scale) return [];
  const { specReplicasPath = "", statusReplicasPath = "", labelSelectorPath = "" } = subresources.scale;
  const path = (name: string, value: string, roots: readonly string[], misplaced: string): FieldError[] => {
    const wrong = jsonPath(`${field}.scale.${name}`, value);
    if (wrong.length > 0 || roots.some((root) => value.startsWith(root))) return wrong;
    return [invalidValue(`${field}.scale.${name}`, value, misplaced)];
  };
  return [
    ...(specReplicasPath ? path("specReplicasPath", specReplicasPath, [".spec."], "should be a json path under .spec") : [required(`${field}.scale.specReplicasPath`)]),
    ...(statusReplicasPath ? path("statusReplicasPath", statusReplicasPath, [".status."], "should be a json path under .status") : [required(`${field}.scale.statusReplicasPath`)]),
    ...(labelSelectorPath ? path("labelSelectorPath", labelSelectorPath, [".spec.", ".status."], "should be a json path under either .spec or .status") : []),
  ];
}

const jsonPath = (field: string, path: string): FieldError[] => (path.startsWith(".") ? [] : [invalidValue(field, path, "must be a simple json path starting with .")]);

export function validateColumn(field: string, { name, type, format, jsonPath: path }: Frozen<CustomResourceColumnDefinition>): FieldError[] {
  const errors: FieldError[] = name ? [] : [required(`${field}.name`)];
  if (!type) errors.push(required(`${field}.type`, `must be one of ${columnTypes.join(",")}`));
  else if (!columnTypes.includes(type)) errors.push(invalidValue(`${field}.type`, type, `must be one of ${columnTypes.join(",")}`));
  if (format && !columnFormats.includes(format)) errors.push(invalidValue(`${field}.format`, format, `must be one of ${columnFormats.join(",")}`));
  return [...errors, ...(path ? jsonPath(`${field}.JSONPath`, path) : [required(`${field}.JSONPath`)])];
}

/** `exceeding`: that many were there before, and may stay. */
export function validateSelectableFields(field: string, fields: readonly Frozen<SelectableField>[], schema: Frozen<JSONSchemaProps>, exceeding: boolean): FieldError[] {
  const seen = new Set<string>();
  const errors = fields.flatMap(({ jsonPath: path }, index) => {
    const at = `${field}[${index}].jsonPath`;
    if (!path) return [required(at)];
    const found = schemaAt(schema, path);
    if (typeof found === "string") return [invalidValue(at, path, `is an invalid path: ${found}`)];
    const wrong: FieldError[] = [];
    if (/^\.metadata(?:\.|$)/.test(path)) wrong.push(invalidValue(at, path, "must not point to fields in metadata"));
    if (!["string", "boolean", "integer"].includes(found.type ?? "")) wrong.push(invalidValue(at, path, "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed."));
    if (seen.has(path)) wrong.push(duplicate(at, path));
    seen.add(path);
    return wrong;
  });
  return seen.size > mostSelectableFields && !exceeding ? [...errors, tooMany(field, seen.size, mostSelectableFields)] : errors;
}

/** The schema of the field that a path such as `.spec.color` leads to; a text that says why it leads nowhere. */
function schemaAt(root: Frozen<JSONSchemaProps>, path: string): Frozen<JSONSchemaProps> | string {
  let schema = root;
  const tokens = path.match(/[.[\]]|[^.[\]]+/g) ?? [];
  for (let i = 0; i < tokens.length; i += 2) {
    if (tokens[i] === "[") return "array notation is not allowed";
    if (tokens[i] !== ".") return `expected [ or . but got: ${tokens[i]}`;
    const name = tokens[i + 1];
    if (name === undefined) return "unexpected end of JSON path";
    const { properties, additionalProperties } = schema;
    const next = properties ? (Object.hasOwn(properties, name) ? properties[name] : undefined) : typeof additionalProperties === "object" ? additionalProperties : undefined;
    if (!next) return "does not refer to a valid field";
    schema = next as Frozen<JSONSchemaProps>;
  }
  return schema;
}
