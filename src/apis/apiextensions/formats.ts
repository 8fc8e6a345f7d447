import type { Frozen } from "../../apimachinery/meta.ts";
import type { CustomResourceDefinition, JSONSchemaProps } from "../generated/apiextensions/v1.ts";

/** Formats of strings that are checked, without their dashes. Source: k8s.io/apiextensions-apiserver/pkg/apiserver/validation formats. */
const stringFormats = new Set([
  "bsonobjectid", "uri", "email", "hostname", "ipv4", "ipv6", "cidr", "mac", "uuid", "uuid3", "uuid4", "uuid5", "isbn", "isbn10", "isbn13", "creditcard", "ssn", "hexcolor", "rgbcolor",
  "byte", "password", "date", "duration", "datetime", "k8sshortname", "k8slongname",
]);

/** Formats of a definition's schemas that nothing is done with, in the order they are met. */
export function unrecognizedFormats({ spec }: Frozen<CustomResourceDefinition>): string[] {
  return (spec.versions ?? []).flatMap(({ schema }) => formatsOf(schema?.openAPIV3Schema));
}

function formatsOf(schema: Frozen<JSONSchemaProps> | undefined): string[] {
  if (!schema) return [];
  const { items, additionalProperties, additionalItems } = schema;
  const inner = [
    ...(Array.isArray(items) ? items : [items]), ...(schema.allOf ?? []), ...(schema.anyOf ?? []), ...(schema.oneOf ?? []), schema.not, ...Object.values(schema.properties ?? {}),
    ...[additionalProperties, additionalItems].map((one) => (typeof one === "object" ? one : undefined)), ...Object.values(schema.patternProperties ?? {}), ...Object.values(schema.definitions ?? {}),
  ];
  return [...(isUnrecognized(schema) ? [schema.format!] : []), ...inner.flatMap((one) => formatsOf(one as Frozen<JSONSchemaProps> | undefined))];
}

function isUnrecognized({ type = "", format }: Frozen<JSONSchemaProps>): boolean {
  if (!format) return false;
  if (type === "" || type === "string") return !stringFormats.has(format.replaceAll("-", ""));
  if (type === "integer") return format !== "int32" && format !== "int64";
  return type !== "number" || (format !== "float" && format !== "double");
}
