import type { FieldError } from "../../apimachinery/field-errors.ts";
import { isObject, type JsonObject } from "../../apimachinery/own.ts";
import { compileRegex } from "../../cel/library/re2.ts";
import { CelError } from "../../cel/values/value.ts";
import { additionalOf, itemsOf, type Schema } from "../schema/schema.ts";
import { Correlation } from "../schema/correlation.ts";
import { formatCheck } from "./formats.ts";
import { validateNumber } from "./number.ts";
import { fieldErrorOf, Result, type Failure } from "./result.ts";

/**
 * What is wrong with a value by its schema, in the words and the order of k8s.io/kube-openapi pkg/validation/validate.
 * With `old`, what was wrong before and has not changed is let pass (KEP-4008).
 */
export function validateValue(value: unknown, schema: Schema, { field = "", old }: { field?: string; old?: unknown } = {}): FieldError[] {
  const correlation = old === undefined ? undefined : new Correlation(value, old, schema);
  return validateNode(value, schema, "", correlation).failures.map((failure) => fieldErrorOf(failure, field));
}

/** A node that can be told from before: its failures count only if it has changed. */
function validateNode(value: unknown, schema: Schema, path: string, correlation: Correlation | undefined): Result {
  const result = validateSchema(value, schema, path, correlation);
  if (result.valid || !correlation?.equal) return result;
  const passed = new Result();
  passed.matches = result.matches;
  return passed;
}

/** One schema against a value. `correlation` is that of the value's node, for its children. */
function validateSchema(value: unknown, schema: Schema, path: string, correlation: Correlation | undefined): Result {
  const result = new Result();
  if (value === null || value === undefined) {
    checkType(result, null, schema, path);
    checkEnum(result, null, schema, path);
    return result;
  }
  checkType(result, value, schema, path);
  checkJunctors(result, value, schema, path, correlation);
  if (typeof value === "string") checkString(result, value, schema, path);
  else if (typeof value === "number") {
    validateNumber(result, value, schema, path);
    result.matches += 2;
  } else if (Array.isArray(value)) checkList(result, value, schema, path, correlation);
  checkEnum(result, value, schema, path);
  if (isObject(value)) checkObject(result, value, schema, path, correlation);
  result.matches++;
  return result;
}

const inBody = (path: string, text: string): string => `${path} in body ${text}`;

const typesOf = (schema: Schema): readonly string[] => (schema["x-kubernetes-int-or-string"] ? ["integer", "string"] : schema.type ? [schema.type] : []);

/** The schema's format, unless nothing is done with it for its type. */
function formatOf(schema: Schema): string {
  const { format = "" } = schema, types = typesOf(schema);
  const type = types.length === 1 ? types[0] : "";
  if (type === "" || type === "string") return formatCheck(format) ? format : "";
  if (type === "integer") return format === "int32" || format === "int64" ? format : "";
  return type === "number" && (format === "float" || format === "double") ? format : "";
}

function jsonTypeOf(value: unknown): { type: string; format: string } {
  if (Array.isArray(value)) return { type: "array", format: "" };
  if (typeof value === "number") return Number.isInteger(value) ? { type: "integer", format: "int64" } : { type: "number", format: "float64" };
  return { type: typeof value === "object" ? "object" : typeof value, format: "" };
}

function checkType(result: Result, value: unknown, schema: Schema, path: string): void {
  const types = typesOf(schema), format = formatOf(schema);
  const wrong = (wanted: string, found: string): void => result.add({ code: "type", name: path, value: found, text: inBody(path, `must be of type ${wanted}: ${JSON.stringify(found)}`) });
  if (value === null) {
    if (types.length > 0 && !schema.nullable) wrong(types.join(","), "null");
    return;
  }
  if (types.length === 0 && format === "") return;
  result.matches++;
  const found = jsonTypeOf(value);
  const numeric = found.type === "integer" && types.includes("number");
  const fits = types.includes(found.type) || numeric;
  const textual = typeof value === "string" || Array.isArray(value);
  if (!textual && format !== "" && !fits && found.format !== format) return wrong(format, found.format);
  if (!types.includes("number") && !types.includes("integer") && format !== "" && textual) return void result.matches++;
  if (!fits) return wrong(types.join(","), found.type);
  result.matches++;
}

function checkEnum(result: Result, value: unknown, schema: Schema, path: string): void {
  if (value !== null) result.matches++;
  const { enum: values } = schema;
  if (!values?.length || values.some((allowed) => allowed !== null && Bun.deepEquals(allowed, value))) return;
  result.add({ code: "enum", name: path, value, values, text: inBody(path, `should be one of ${JSON.stringify(values)}`) });
}

function checkString(result: Result, value: string, schema: Schema, path: string): void {
  result.matches++;
  const failure = stringFailure(value, schema, path);
  if (failure) result.add(failure);
  const format = formatOf(schema), check = format === "" ? undefined : formatCheck(format);
  if (!check) return;
  result.matches++;
  if (!check(value)) result.add({ code: "type", name: path, value, text: inBody(path, `must be of type ${format}: ${JSON.stringify(value)}`) });
}

function stringFailure(value: string, { maxLength, minLength, pattern }: Schema, path: string): Failure | undefined {
  if (maxLength !== undefined || minLength !== undefined) {
    const length = lengthOf(value);
    if (maxLength !== undefined && length > maxLength) return { code: "tooLong", name: path, most: maxLength, text: inBody(path, `should be at most ${maxLength} chars long`) };
    if (minLength !== undefined && length < minLength) return { code: "other", name: path, value, text: inBody(path, `should be at least ${minLength} chars long`) };
  }
  if (!pattern) return undefined;
  const compiled = compileRegex(pattern);
  if (compiled instanceof CelError) return { code: "other", name: path, value, text: inBody(path, `should match '${pattern}, but pattern is invalid: ${compiled.message}'`) };
  return compiled.find(value) ? undefined : { code: "other", name: path, value, text: inBody(path, `should match '${pattern}'`) };
}

/** In characters, of which a pair of surrogates is one. */
function lengthOf(text: string): number {
  let length = 0;
  for (const _ of text) length++;
  return length;
}

function checkList(result: Result, list: readonly unknown[], schema: Schema, path: string, correlation: Correlation | undefined): void {
  const { minItems, maxItems } = schema, items = itemsOf(schema);
  if (items) for (let i = 0; i < list.length; i++) result.merge(validateNode(list[i], items, `${path}[${i}]`, correlation?.index(i)));
  if (minItems !== undefined && list.length < minItems) result.add({ code: "other", name: path, value: list.length, text: inBody(path, `should have at least ${minItems} items`) });
  if (maxItems !== undefined && list.length > maxItems) result.add({ code: "tooMany", name: path, actual: list.length, most: maxItems, text: inBody(path, `should have at most ${maxItems} items`) });
  if (schema.uniqueItems && list.some((item, i) => list.slice(0, i).some((other) => Bun.deepEquals(item, other)))) {
    result.add({ code: "other", name: path, text: inBody(path, "shouldn't contain duplicates") });
  }
  result.matches += 2;
}

function checkObject(result: Result, object: JsonObject, schema: Schema, path: string, correlation: Correlation | undefined): void {
  const { minProperties, maxProperties, properties = {}, required = [] } = schema;
  const names = Object.keys(object);
  if (minProperties !== undefined && names.length < minProperties) result.add({ code: "other", name: path, value: names.length, text: inBody(path, `should have at least ${minProperties} properties`) });
  if (maxProperties !== undefined && names.length > maxProperties) result.add({ code: "tooMany", name: path, actual: names.length, most: maxProperties, text: inBody(path, `should have at most ${maxProperties} properties`) });
  const additional = additionalOf(schema);
  for (const name of names) {
    if (Object.hasOwn(properties, name)) continue;
    if (schema.additionalProperties === false) result.add({ code: "other", name: path, value: name, text: `${path}.${name} in body is a forbidden property` });
    else if (additional) result.merge(validateNode(object[name], additional, `${path}.${name}`, correlation?.key(name)));
  }
  for (const name of names) {
    if (Object.hasOwn(properties, name)) result.merge(validateNode(object[name], properties[name]!, path ? `${path}.${name}` : name, correlation?.key(name)));
  }
  for (const name of required) {
    if (!Object.hasOwn(object, name)) result.add({ code: "required", name: `${path}.${name}`, text: inBody(`${path}.${name}`, "is required") });
  }
  result.matches++;
}

/** allOf, anyOf, oneOf and not. */
function checkJunctors(result: Result, value: unknown, schema: Schema, path: string, correlation: Correlation | undefined): void {
  const each = (schemas: readonly Schema[]): Result[] => schemas.map((one) => validateSchema(value, one, path, correlation));
  const composite = (text: string): void => result.add({ code: "composite", text: `${JSON.stringify(path)} ${text}` });
  if (schema.anyOf?.length) {
    const results = each(schema.anyOf), success = results.find(({ valid }) => valid);
    if (!success) composite("must validate at least one schema (anyOf)");
    result.merge(success ?? closest(results));
  }
  if (schema.oneOf?.length) {
    const results = each(schema.oneOf), successes = results.filter(({ valid }) => valid);
    if (successes.length === 1) result.merge(successes[0]!);
    else {
      composite(`must validate one and only one schema (oneOf). ${successes.length === 0 ? "Found none valid" : `Found ${successes.length} valid alternatives`}`);
      if (successes.length === 0) result.merge(closest(results));
    }
  }
  if (schema.allOf?.length) {
    const results = each(schema.allOf);
    for (const one of results) result.merge(one);
    if (results.some(({ valid }) => !valid)) composite(`must validate all the schemas (allOf)${results.some(({ valid }) => valid) ? "" : ". None validated"}`);
  }
  if (schema.not && validateSchema(value, schema.not, path, correlation).valid) composite("must not validate the schema (not)");
  result.matches += 2;
}

/** The alternative that fits best, the first of equals. */
const closest = (results: readonly Result[]): Result => results.reduce((best, one) => (one.matches > best.matches ? one : best));
