import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import { age, nameColumn, type Column, type FieldSelectors } from "../../apimachinery/resource.ts";
import type { CustomResourceColumnDefinition, SelectableField } from "../../apis/generated/apiextensions/v1.ts";
import { parseJsonPath } from "../../apimachinery/jsonpath.ts";

type Definition = Frozen<CustomResourceColumnDefinition>;

const ageDefinition: Definition = {
  name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp",
  description: "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. "
    + "Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. "
    + "More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
};

/** The name, then what the definition asks for, or the age. Source: k8s.io/apiextensions-apiserver pkg/registry/customresource/tableconvertor. */
export const customColumns = (definitions: readonly Definition[] = []): Column<KubeObject>[] => [nameColumn(), ...(definitions.length > 0 ? definitions : [ageDefinition]).map(columnOf)];

function columnOf({ name, type, format, description, priority, jsonPath }: Definition): Column<KubeObject> {
  const find = parseJsonPath(jsonPath);
  return {
    name, type: type as Column<KubeObject>["type"],
    ...(format ? { format } : {}), ...(priority ? { priority: priority as 1 } : {}),
    description: description || `Custom resource definition column (in JSONPath format): ${jsonPath}`,
    value(object, now) {
      const found = find?.(object) ?? [];
      return found.length === 0 ? null : cellOf(type, found[0], now);
    },
  };
}

function cellOf(type: string, value: unknown, now: number): string | number | boolean | null {
  if (type === "string") return textOf(value);
  if (value === null) return null;
  if (type === "integer") return typeof value === "number" ? Math.trunc(value) : null;
  if (type === "number") return typeof value === "number" ? value : null;
  if (type === "boolean") return typeof value === "boolean" ? value : null;
  if (type !== "date" || typeof value !== "string") return null;
  if (value === "" || value === "null") return "<unknown>";
  return Number.isNaN(Date.parse(value)) ? "<invalid>" : age(value, now);
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : value === null ? "<nil>" : JSON.stringify(value));

/** `.spec.color` is selected as `spec.color`. */
export function customFieldSelectors(fields: readonly Frozen<SelectableField>[] = []): FieldSelectors<KubeObject> {
  return Object.fromEntries(fields.map(({ jsonPath }) => {
    const find = parseJsonPath(jsonPath);
    return [jsonPath.replace(/^\./, ""), (object: Frozen<KubeObject>) => {
      const [value] = find?.(object) ?? [];
      return value === undefined || value === null ? "" : String(value as string | number | boolean);
    }];
  }));
}
