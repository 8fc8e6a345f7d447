import { isObject } from "../../apimachinery/own.ts";
import { decode } from "../../apimachinery/schema/decode.ts";
import type { Shape } from "./shape.ts";

export type ScalarName = "string" | "bool" | "int32" | "int64" | "float32" | "duration";

/** What is wrong with a configuration, in a sentence. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
}

interface Reader {
  /** The struct whose field is read, for errors. */
  struct: string;
  unknown: string[];
}

/**
 * Reads parsed YAML by a shape. Nulls are left out; `unknown` gets a complaint for each field that the shape doesn't have.
 * Throws a `ConfigurationError` for a value of the wrong type, in encoding/json's words.
 */
export function readShape<T>(value: unknown, shape: Shape, unknown: string[]): T {
  return readValue(value, shape, "", { struct: "", unknown }) as T;
}

function readValue(value: unknown, shape: Shape, path: string, reader: Reader): unknown {
  if (shape === "any") return value;
  if (typeof shape === "string") return readScalar(value, shape, path, reader);
  if ("list" in shape) {
    if (!Array.isArray(value)) throw mismatch(value, goType(shape), path, reader);
    return value.map((item, i) => readValue(item, shape.list, `${path}[${i}]`, reader));
  }
  if ("schema" in shape) return readApiType(value, shape.schema, path, reader);
  if (!isObject(value)) throw mismatch(value, goType(shape), path, reader);
  const inside = { struct: shape.struct, unknown: reader.unknown };
  const object: Record<string, unknown> = {};
  for (const [name, given] of Object.entries(value)) {
    const field = path === "" ? name : `${path}.${name}`;
    const known = Object.hasOwn(shape.fields, name) ? shape.fields[name] : undefined;
    if (!known) reader.unknown.push(`unknown field ${JSON.stringify(field)}`);
    else if (given !== null && given !== undefined) object[name] = readValue(given, known, field, inside);
  }
  return object;
}

function readScalar(value: unknown, scalar: ScalarName, path: string, reader: Reader): unknown {
  if (scalar === "duration") return readDuration(value, path, reader);
  const fits = scalar === "string" || scalar === "bool" ? typeof value === { string: "string", bool: "boolean" }[scalar] : scalar === "float32" ? typeof value === "number" : isInteger(value, scalar);
  if (!fits) throw mismatch(value, scalar, path, reader);
  return value;
}

const isInteger = (value: unknown, scalar: "int32" | "int64"): boolean => typeof value === "number" && (scalar === "int64" ? Number.isSafeInteger(value) : value === (value | 0));

function readDuration(value: unknown, path: string, reader: Reader): string {
  if (typeof value !== "string") throw mismatch(value, "string", path, reader);
  if (!/^[-+]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/.test(value)) throw new ConfigurationError(`time: invalid duration ${JSON.stringify(value)}`);
  return value;
}

function readApiType(value: unknown, schema: string, path: string, reader: Reader): unknown {
  try {
    const { object, unknownFields } = decode(schema, value, { fieldValidation: "Warn" });
    for (const text of unknownFields) reader.unknown.push(text.replace('"', `"${path}.`));
    return object;
  } catch (error) {
    throw new ConfigurationError((error as Error).message.replace(/^.* cannot be handled as a \w+: /, ""), { cause: error });
  }
}

function goType(shape: Shape): string {
  if (typeof shape === "string") return shape;
  if ("list" in shape) return `[]${goType(shape.list)}`;
  return `v1.${"schema" in shape ? shape.schema.slice(shape.schema.lastIndexOf(".") + 1) : shape.struct}`;
}

function mismatch(value: unknown, go: string, path: string, { struct }: Reader): ConfigurationError {
  const given = Array.isArray(value) ? "array" : typeof value === "number" ? `number${go === "string" || go === "bool" ? "" : ` ${value}`}` : value === null ? "null" : typeof value === "boolean" ? "bool" : typeof value;
  const field = path.replace(/\[\d+\]/g, "");
  return new ConfigurationError(`json: cannot unmarshal ${given} into Go ${field ? `struct field ${struct}.${field}` : "value"} of type ${go}`);
}
