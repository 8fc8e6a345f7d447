import { invalidValue } from "../../apimachinery/field-errors.ts";
import { objectSchemaOf, type ObjectSchema } from "../../apimachinery/object-schema.ts";
import { apiVersionOf } from "../../apimachinery/resource.ts";
import { parseCbor } from "../../apimachinery/schema/cbor/decode.ts";
import { decode, type FieldValidation } from "../../apimachinery/schema/decode.ts";
import { kindFault } from "../../apimachinery/schema/kind-fault.ts";
import { decodeDocument } from "../../apimachinery/schema/protobuf/envelope.ts";
import { parseJson, type Parsed } from "../../apimachinery/schema/json.ts";
import { parseYaml } from "../../apimachinery/schema/yaml.ts";
import { badRequest, invalid, StatusError, unsupportedMediaType } from "../../apimachinery/status.ts";
import type { Exchange } from "../exchange.ts";
import { fieldValidationOf } from "../handlers/options.ts";
import { encodings, json, protobuf } from "./encodings.ts";
import { parseMediaType } from "./media-type.ts";
import type { Kinded } from "./object-json.ts";

/** What a body is to be read as: a card, or a kind of its own such as Scale. */
export interface BodyKind extends Kinded {
  schema: string;
  /** A custom resource's own. */
  objectSchema?: ObjectSchema;
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * Reads the request's object, in any encoding that is served, as `kind`. Unknown and repeated fields are met as `fieldValidation` says.
 * The result has kind and apiVersion. Throws 400, or 415 for an encoding that isn't served.
 */
export async function readBody<T>(exchange: Exchange, kind: BodyKind): Promise<T> {
  const fieldValidation = fieldValidationOf(exchange);
  const parsed = await parseBody(exchange, kind, fieldValidation);
  checkKind(parsed.value, kind);
  const object = decodeAs<T>(exchange, kind, parsed, fieldValidation);
  exchange.audit?.requestObject(object);
  return object;
}

/** The same for bodies that may be missing, such as DeleteOptions, which any API version may name. */
export async function readOptionalBody<T>(exchange: Exchange, schema: string): Promise<T | undefined> {
  if ((await exchange.request.body()).length === 0) return undefined;
  const { value } = await parseBody(exchange, { group: "", version: "v1", kind: schema.slice(schema.lastIndexOf(".") + 1), schema }, "Ignore");
  const { object } = decode<T>(schema, value);
  exchange.audit?.requestObject(object);
  return object;
}

async function parseBody(exchange: Exchange, { schema, kind, objectSchema }: BodyKind, fieldValidation: FieldValidation): Promise<Parsed> {
  const { type } = parseMediaType(exchange.request.headers["content-type"] ?? "");
  const parse = parserOf(type || json.mediaType, objectSchema === undefined);
  const body = await exchange.request.body();
  try {
    if (body.length === 0) throw new RangeError("couldn't get version/kind; json parse error: unexpected end of JSON input");
    return parse(body, { schema, duplicates: fieldValidation !== "Ignore" });
  } catch (error) {
    if (!(error instanceof StatusError || error instanceof RangeError)) throw error;
    throw badRequest(`the object provided is unrecognized (must be of type ${kind}): ${error.message.replace(parserPrefix, "")} (${summaryOf(body)})`);
  }
}

/** What the parsers say of themselves. */
const parserPrefix = /^(?:the object provided is unrecognized|error converting YAML to JSON): /;
const mostSummarized = 30;

/** As Kubernetes shows a body that it can't read: JSON as it is, all else in hexadecimal. */
function summaryOf(body: Uint8Array): string {
  if (body.length === 0) return "<empty>";
  const shown = Buffer.from(body.subarray(0, mostSummarized)).toString(body[0] === 0x7b ? "utf8" : "hex");
  return body.length > mostSummarized ? `${shown} ...` : shown;
}

interface ParseOptions {
  schema: string;
  duplicates: boolean;
}
type Parse = (body: Uint8Array, options: ParseOptions) => Parsed;

const parsers: Readonly<Record<string, Parse>> = {
  [json.mediaType]: (body, options) => parseJson(textOf(body), options),
  "application/yaml": (body, options) => parseYaml(textOf(body), options),
  "application/cbor": (body) => parseCbor(body),
  [protobuf.mediaType]: (body, { schema }) => ({ value: decodeDocument(body, schema), duplicates: [] }),
};

/** Custom resources have no protobuf form. */
function parserOf(type: string, hasProtobuf: boolean): Parse {
  const parse = Object.hasOwn(parsers, type) && (hasProtobuf || type !== protobuf.mediaType) ? parsers[type] : undefined;
  if (parse) return parse;
  throw unsupportedMediaType(`the body of the request was in an unknown format - accepted media types include: ${encodings.map(({ mediaType }) => mediaType).join(", ")}`);
}

export function textOf(body: Uint8Array): string {
  try {
    return utf8.decode(body);
  } catch {
    throw badRequest("the body of the request is not valid UTF-8");
  }
}

function decodeAs<T>(exchange: Exchange, kind: BodyKind, { value, duplicates }: Parsed, fieldValidation: FieldValidation): T {
  const { object, unknownFields } = objectSchemaOf(kind).decode<T & { kind?: string; apiVersion?: string }>(value, { fieldValidation, duplicates });
  if (fieldValidation === "Warn") for (const text of unknownFields) if (!exchange.warnings.includes(text)) exchange.warnings.push(text);
  object.kind = kind.kind;
  object.apiVersion = apiVersionOf(kind);
  return object;
}

const nameOf = (value: object): string => {
  const { name } = ((value as { metadata?: { name?: unknown } }).metadata ?? {});
  return typeof name === "string" ? name : "";
};

/** Kind and apiVersion may be left out; where given they must be those of the URL. */
function checkKind(value: unknown, expected: BodyKind): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw badRequest(`the object provided is unrecognized (must be of type ${expected.kind}): couldn't get version/kind; json parse error: json: cannot unmarshal ${Array.isArray(value) ? "array" : typeof value} into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }`);
  }
  const { kind = "", apiVersion = "" } = value as { kind?: unknown; apiVersion?: unknown };
  for (const [field, text] of [["apiVersion", apiVersion], ["kind", kind]] as const) {
    if (typeof text === "string") continue;
    throw badRequest(`the object provided is unrecognized (must be of type ${expected.kind}): couldn't get version/kind; json parse error: json: cannot unmarshal ${Array.isArray(text) ? "array" : typeof text} into Go struct field .${field} of type string`);
  }
  const fault = expected.objectSchema ? undefined : kindFault({ kind: kind as string, apiVersion: apiVersion as string }, expected);
  if (fault) throw badRequest(`${(kind as string) || expected.kind} in version ${JSON.stringify(((apiVersion as string) || expected.version).split("/").at(-1))} cannot be handled as a ${expected.kind}: ${fault}`);
  const wanted = apiVersionOf(expected);
  if (apiVersion !== "" && apiVersion !== wanted) throw badRequest(`the API version in the data (${apiVersion as string}) does not match the expected API version (${wanted})`);
  // A custom resource's kind is read as it is, and found wrong later.
  if (kind !== "" && kind !== expected.kind) throw invalid({ group: expected.group, kind: kind as string }, nameOf(value), [invalidValue("kind", kind, `must be ${expected.kind}`)]);
}
