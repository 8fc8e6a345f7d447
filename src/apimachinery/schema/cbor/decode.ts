import { Decoder, Tag } from "cbor-x/index-no-eval";
import { setOwn, type JsonObject } from "../../own.ts";
import { badRequest } from "../../status.ts";
import type { Parsed } from "../json.ts";
import { scanCbor } from "./scan.ts";

/** Maps stay maps, since keys are byte strings more often than text. */
const decoder = new Decoder({ mapsAsObjects: false, useRecords: false });

/** Parses a CBOR body (KEP-4222) to what its JSON would parse to; repeated keys are always refused. Throws a 400 StatusError. */
export function parseCbor(body: Uint8Array): Parsed {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  try {
    scanCbor(bytes);
    return { value: jsonOf(decoder.decode(bytes)), duplicates: [] };
  } catch (error) {
    throw badRequest(`the object provided is unrecognized: cbor: ${error instanceof Error ? error.message : "malformed"}`);
  }
}

function jsonOf(value: unknown): unknown {
  switch (typeof value) {
    case "string": case "boolean": return value;
    case "number":
      if (!Number.isFinite(value)) throw new RangeError("floating-point NaN or infinity");
      return value;
    case "bigint":
      if (!Number.isSafeInteger(Number(value))) throw new RangeError("integers beyond 2^53 are not supported");
      return Number(value);
    default: return objectOf(value);
  }
}

const laterEncodings: Readonly<Record<number, BufferEncoding>> = { 21: "base64url", 22: "base64", 23: "hex" };

function objectOf(value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (Array.isArray(value)) return value.map(jsonOf);
  if (value instanceof Uint8Array) return textOf(value);
  if (value instanceof Date) return value.toISOString().replace(/\.?0*Z$/, "Z");
  if (value instanceof Map) {
    const object: JsonObject = {};
    for (const [key, inner] of value as Map<unknown, unknown>) setOwn(object, key instanceof Uint8Array ? textOf(key) : String(key), jsonOf(inner));
    return object;
  }
  if (value instanceof Tag && value.tag in laterEncodings) {
    const inner: unknown = value.value;
    return inner instanceof Uint8Array ? Buffer.from(inner).toString(laterEncodings[value.tag]) : jsonOf(inner);
  }
  throw new RangeError("an item that JSON has nothing for");
}

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
