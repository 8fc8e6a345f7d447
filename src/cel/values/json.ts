import type { DeclType } from "../cel.ts";
import { typeString, type CelType } from "../type.ts";
import { unescapeName } from "../schema/escape.ts";
import { toText } from "./convert.ts";
import { parseDuration, parseTimestamp } from "./time.ts";
import { CelError, Duration, Timestamp, type List, type ListSemantics, type MapValue, type Value } from "./value.ts";

/**
 * JSON as CEL sees it, without copying: objects and lists are views, made as an expression reaches them.
 * Without a declared type objects are maps, whole numbers are ints and others doubles.
 */
export function valueOf(json: unknown, declared?: DeclType): Value {
  if (declared) return typed(json, declared);
  switch (typeof json) {
    case "string": case "boolean": return json;
    case "number": return Number.isInteger(json) ? BigInt(json) : json;
    case "bigint": return json;
    case "object": return json === null ? null : Array.isArray(json) ? new JsonList(json) : new JsonMap(json as Record<string, unknown>);
    default: return null;
  }
}

function typed(json: unknown, declared: DeclType): Value {
  if (json === null || json === undefined) return null;
  if (declared.intOrString) return typeof json === "number" ? BigInt(Math.trunc(json)) : String(json);
  const wrong = (): CelError => new CelError(`invalid data, expected ${typeString(declared.type)}`);
  switch (declared.type.kind) {
    case "bool": return typeof json === "boolean" ? json : wrong();
    case "int": return typeof json === "number" && Number.isInteger(json) ? BigInt(json) : wrong();
    case "double": return typeof json === "number" ? json : wrong();
    case "string": return typeof json === "string" ? json : wrong();
    case "bytes": return typeof json === "string" ? Buffer.from(json, "base64") : wrong();
    case "duration": return (typeof json === "string" && parseDuration(json)) || new CelError(`Invalid duration ${String(json)}`);
    case "timestamp": return time(json);
    case "list": return Array.isArray(json) ? new JsonList(json, declared.item, semanticsOf(declared)) : wrong();
    case "map": return isObject(json) ? new JsonMap(json, declared.item) : wrong();
    case "struct": return isObject(json) ? new JsonObject(json, declared) : wrong();
    default: return valueOf(json);
  }
}

const isObject = (json: unknown): json is Record<string, unknown> => typeof json === "object" && json !== null && !Array.isArray(json);

function time(json: unknown): Value {
  if (typeof json !== "string") return new CelError("invalid data, expected a timestamp");
  return parseTimestamp(/^\d{4}-\d\d-\d\d$/.test(json) ? `${json}T00:00:00Z` : json) ?? new CelError(`Invalid date ${json}`);
}

class JsonList implements List {
  readonly isList = true;
  constructor(readonly json: readonly unknown[], private readonly item?: DeclType, readonly semantics?: ListSemantics) {}
  get size(): number {
    return this.json.length;
  }
  get(index: number): Value {
    return valueOf(this.json[index], this.item);
  }
}

class JsonMap implements MapValue {
  readonly isMap = true;
  constructor(readonly json: Readonly<Record<string, unknown>>, private readonly item?: DeclType) {}
  get size(): number {
    return Object.keys(this.json).length;
  }
  get(key: Value): Value | undefined {
    if (typeof key !== "string" || !Object.hasOwn(this.json, key)) return undefined;
    const value = this.json[key];
    return value === undefined ? undefined : valueOf(value, this.item);
  }
  keys(): Iterable<Value> {
    return Object.keys(this.json);
  }
}

/** An object of a declared type: its fields go by escaped names, and what the type doesn't declare isn't there. */
class JsonObject implements MapValue {
  readonly isMap = true;
  readonly type: CelType;
  constructor(readonly json: Readonly<Record<string, unknown>>, private readonly declared: DeclType) {
    this.type = declared.type;
  }
  get size(): number {
    return [...this.keys()].length;
  }
  get(key: Value): Value | undefined {
    // A reserved word that no grammar rule forbids here, such as `namespace`, may go without its escape.
    const field = typeof key === "string" ? this.declared.fields?.get(key) ?? this.declared.fields?.get(`__${key}__`) : undefined;
    if (!field || !Object.hasOwn(this.json, field.json)) return undefined;
    const value = this.json[field.json];
    // A null that the schema allows is as good as absent, but for `has`.
    return value === undefined || value === null ? undefined : valueOf(value, field.decl);
  }
  *keys(): Iterable<Value> {
    for (const [name, { json }] of this.declared.fields ?? []) if (Object.hasOwn(this.json, json)) yield name;
  }
}

const semantics = new WeakMap<DeclType, ListSemantics>();

function semanticsOf(declared: DeclType): ListSemantics | undefined {
  const { listType, listMapKeys = [] } = declared;
  if (!listType) return undefined;
  let found = semantics.get(declared);
  if (!found) {
    const identity = listType === "set" ? (item: Value) => `${typeof item}:${String(jsonOf(item))}` : (item: Value) => JSON.stringify(listMapKeys.map((key) => jsonKey(item, key)));
    semantics.set(declared, found = { listType, identity });
  }
  return found;
}

function jsonKey(item: Value, key: string): unknown {
  return item instanceof JsonObject || item instanceof JsonMap ? item.json[key] : undefined;
}

/** A value as JSON; undefined for what JSON can't say. What came from JSON is handed back as it was. */
export function jsonOf(value: Value): unknown {
  switch (typeof value) {
    case "bigint": return Number(value);
    case "object": break;
    default: return value;
  }
  if (value === null) return null;
  if (value instanceof JsonList || value instanceof JsonMap || value instanceof JsonObject) return value.json;
  if ("isList" in value) return Array.from({ length: value.size }, (_, index) => jsonOf(value.get(index)));
  if ("isMap" in value) return Object.fromEntries([...value.keys()].map((key) => [value.type ? unescapeName(String(key)) : String(jsonOf(key)), jsonOf(value.get(key)!)]));
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (value instanceof Timestamp || value instanceof Duration) return toText(value);
  return "value" in value && typeof value.value === "bigint" ? Number(value.value) : undefined;
}
