import { semanticEqual } from "../../apimachinery/equality.ts";
import { forbiddenField, invalidValue, tooLong, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { ageColumn, defineResource, nameColumn } from "../../apimachinery/resource.ts";
import type { ConfigMap } from "../generated/core/v1.ts";
import { base64Length, maxDataSize, validateConfigKey } from "./config-data.ts";
export type { ConfigMap } from "../generated/core/v1.ts";

export const configmaps = defineResource<ConfigMap>({
  group: "", version: "v1", kind: "ConfigMap", resource: "configmaps", scope: "Namespaced", shortNames: ["cm"],
  schema: "io.k8s.api.core.v1.ConfigMap",
  strategy: { validate, validateUpdate },
  columns: [
    nameColumn(),
    { name: "Data", type: "string", description: "Data contains the configuration data. Each key must consist of alphanumeric characters, '-', '_' or '.'. Values with non-UTF-8 byte sequences must use the BinaryData field. The keys stored in Data must not overlap with the keys in the BinaryData field, this is enforced during validation process.", value: (map) => keys(map.data).length + keys(map.binaryData).length },
    ageColumn(),
  ],
  example: () => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "example", namespace: "default" }, data: { key: "value" } }),
});

const keys = (map: object | undefined): string[] => Object.keys(map ?? {});

function validate({ data = {}, binaryData = {} }: Frozen<ConfigMap>): FieldError[] {
  const errors: FieldError[] = [];
  let size = 0;
  for (const [key, value] of Object.entries(data)) {
    errors.push(...validateConfigKey(`data[${key}]`, key));
    if (Object.hasOwn(binaryData, key)) errors.push(invalidValue(`data[${key}]`, key, "duplicate of key present in binaryData"));
    size += Buffer.byteLength(value);
  }
  for (const [key, value] of Object.entries(binaryData)) {
    errors.push(...validateConfigKey(`binaryData[${key}]`, key));
    size += base64Length(value);
  }
  if (size > maxDataSize) errors.push(tooLong("[]", maxDataSize));
  return errors;
}

function validateUpdate(map: Frozen<ConfigMap>, old: Frozen<ConfigMap>): FieldError[] {
  const errors: FieldError[] = [];
  if (old.immutable) {
    if (!map.immutable) errors.push(forbiddenField("immutable", "field is immutable when `immutable` is set"));
    if (!semanticEqual(map.data ?? {}, old.data ?? {})) errors.push(forbiddenField("data", "field is immutable when `immutable` is set"));
    if (!semanticEqual(map.binaryData ?? {}, old.binaryData ?? {})) errors.push(forbiddenField("binaryData", "field is immutable when `immutable` is set"));
  }
  return [...errors, ...validate(map)];
}
