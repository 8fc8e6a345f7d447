import { invalidValue, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import { isObject, setOwn, type JsonObject } from "../../apimachinery/own.ts";
import type { ScaleMapping } from "../../apimachinery/resource.ts";
import type { CustomResourceSubresourceScale } from "../../apis/generated/apiextensions/v1.ts";

type Paths = Frozen<CustomResourceSubresourceScale>;
const partsOf = (path: string): string[] => path.replace(/^\./, "").split(".");

function valueAt(object: unknown, path: string): unknown {
  let value: unknown = object;
  for (const part of partsOf(path)) {
    if (!isObject(value) || !Object.hasOwn(value, part)) return undefined;
    value = value[part];
  }
  return value;
}

const numberAt = (object: unknown, path: string): number => {
  const value = valueAt(object, path);
  return typeof value === "number" ? value : 0;
};

/** Where the Scale of a custom resource is found in it. */
export function scaleMapping({ specReplicasPath, statusReplicasPath, labelSelectorPath }: Paths): ScaleMapping<KubeObject> {
  return {
    replicasPath: partsOf(specReplicasPath),
    getReplicas: (object) => numberAt(object, specReplicasPath),
    setReplicas(object, replicas) {
      const parts = partsOf(specReplicasPath), last = parts.pop()!;
      let at = object as unknown as JsonObject;
      for (const part of parts) {
        if (!isObject(at[part])) setOwn(at, part, {});
        at = at[part] as JsonObject;
      }
      setOwn(at, last, replicas);
    },
    statusReplicas: (object) => numberAt(object, statusReplicasPath),
    selector(object) {
      const value = labelSelectorPath ? valueAt(object, labelSelectorPath) : undefined;
      return typeof value === "string" ? value : "";
    },
  };
}

/** Source: k8s.io/apiextensions-apiserver pkg/registry/customresource ValidateScaleSpec. */
export const validateScaleSpec = (object: unknown, { specReplicasPath }: Paths): FieldError[] => validateReplicas(object, specReplicasPath);

export function validateScaleStatus(object: unknown, { statusReplicasPath, labelSelectorPath }: Paths): FieldError[] {
  const errors = validateReplicas(object, statusReplicasPath);
  const selector = labelSelectorPath ? valueAt(object, labelSelectorPath) : undefined;
  return selector === undefined || typeof selector === "string" ? errors : [...errors, invalidValue(labelSelectorPath!, "", wrongType(labelSelectorPath!, selector, "string"))];
}

function validateReplicas(object: unknown, path: string): FieldError[] {
  const notObject = firstNotObject(object, path);
  if (notObject !== undefined) return [invalidValue(path, 0, wrongType(path, notObject, "map[string]interface{}"))];
  const value = valueAt(object, path);
  if (value === undefined) return [];
  if (typeof value !== "number" || !Number.isInteger(value)) return [invalidValue(path, 0, wrongType(path, value, "int64"))];
  if (value < 0) return [invalidValue(path, value, "should be a non-negative integer")];
  return value > 2 ** 31 - 1 ? [invalidValue(path, value, `should be less than or equal to ${2 ** 31 - 1}`)] : [];
}

/** What stands on the way to a field and has no fields. */
function firstNotObject(object: unknown, path: string): unknown {
  let value: unknown = object;
  for (const part of partsOf(path)) {
    if (value === undefined || value === null) return undefined;
    if (!isObject(value)) return value;
    value = Object.hasOwn(value, part) ? value[part] : undefined;
  }
  return undefined;
}

const goTypes: Readonly<Record<string, string>> = { string: "string", boolean: "bool", number: "float64", object: "map[string]interface {}" };
const wrongType = (path: string, value: unknown, wanted: string): string =>
  `${path.startsWith(".") ? path : `.${path}`} accessor error: ${typeof value === "object" ? JSON.stringify(value) : String(value)} is of the type ${Array.isArray(value) ? "[]interface {}" : value === null ? "<nil>" : goTypes[typeof value]}, expected ${wanted}`;
