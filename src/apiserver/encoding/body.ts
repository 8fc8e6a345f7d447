import { apiVersionOf } from "../../apimachinery/resource.ts";
import { decode, type FieldValidation } from "../../apimachinery/schema/decode.ts";
import { parseJson, type Parsed } from "../../apimachinery/schema/json.ts";
import { parseYaml } from "../../apimachinery/schema/yaml.ts";
import { badRequest, unsupportedMediaType } from "../../apimachinery/status.ts";
import type { Exchange } from "../exchange.ts";
import { fieldValidationOf } from "../handlers/options.ts";
import { parseMediaType } from "./media-type.ts";
import type { Kinded } from "./object-json.ts";
import { parseProtobuf, protobufType } from "./protobuf.ts";

/** What a body is to be read as: a card, or a kind of its own such as Scale. */
export interface BodyKind extends Kinded {
  /** The type in the schema table. */
  schema: string;
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * Reads the request's object, JSON, YAML or protobuf, as `kind`. Unknown and repeated fields are met as `fieldValidation` says.
 * The result has kind and apiVersion. Throws 400, or 415 for an encoding that isn't served.
 */
export async function readBody<T>(exchange: Exchange, kind: BodyKind): Promise<T> {
  const fieldValidation = fieldValidationOf(exchange);
  const parsed = await parseBody(exchange, kind.schema, fieldValidation);
  checkKind(parsed.value, kind);
  return decodeAs<T>(exchange, kind, parsed, fieldValidation);
}

/** The same for bodies that may be missing, such as DeleteOptions, which any API version may name. */
export async function readOptionalBody<T>(exchange: Exchange, schema: string): Promise<T | undefined> {
  if ((await exchange.request.body()).length === 0) return undefined;
  const { value } = await parseBody(exchange, schema, "Ignore");
  return decode<T>(schema, value).object;
}

async function parseBody(exchange: Exchange, schema: string, fieldValidation: FieldValidation): Promise<Parsed> {
  const { type } = parseMediaType(exchange.request.headers["content-type"] ?? "");
  if (type === protobufType) return { value: parseProtobuf(await exchange.request.body(), schema), duplicates: [] };
  const parse = parserOf(type);
  const body = await exchange.request.body();
  if (body.length === 0) throw badRequest("the object provided is unrecognized: couldn't get version/kind; json parse error: unexpected end of JSON input (<empty>)");
  return parse(textOf(body), { duplicates: fieldValidation !== "Ignore" });
}

export function textOf(body: Uint8Array): string {
  try {
    return utf8.decode(body);
  } catch {
    throw badRequest("the body of the request is not valid UTF-8");
  }
}

function parserOf(type: string): typeof parseJson {
  if (type === "" || type === "application/json") return parseJson;
  if (type === "application/yaml") return parseYaml;
  throw unsupportedMediaType("the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf");
}

function decodeAs<T>(exchange: Exchange, kind: BodyKind, { value, duplicates }: Parsed, fieldValidation: FieldValidation): T {
  const { object, unknownFields } = decode<T & { kind?: string; apiVersion?: string }>(kind.schema, value, { fieldValidation, duplicates });
  if (fieldValidation === "Warn") for (const text of unknownFields) if (!exchange.warnings.includes(text)) exchange.warnings.push(text);
  object.kind = kind.kind;
  object.apiVersion = apiVersionOf(kind);
  return object;
}

/** Kind and apiVersion may be left out; where given they must be those of the URL. */
function checkKind(value: unknown, expected: BodyKind): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw badRequest(`the object provided is unrecognized (must be of type ${expected.kind}): couldn't get version/kind; json parse error: json: cannot unmarshal ${Array.isArray(value) ? "array" : typeof value} into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }`);
  }
  const { kind = "", apiVersion = "" } = value as { kind?: unknown; apiVersion?: unknown };
  const wanted = apiVersionOf(expected);
  if (apiVersion !== "" && apiVersion !== wanted) throw badRequest(`the API version in the data (${String(apiVersion)}) does not match the expected API version (${wanted})`);
  if (kind !== "" && kind !== expected.kind) throw badRequest(`${String(kind)} in version ${JSON.stringify(expected.version)} cannot be handled as a ${expected.kind}: the kind in the data does not match that of the URL`);
}
