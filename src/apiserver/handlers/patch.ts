import { isObject } from "../../apimachinery/own.ts";
import { parseCbor } from "../../apimachinery/schema/cbor/decode.ts";
import { parseJson, type Parsed } from "../../apimachinery/schema/json.ts";
import { parseYaml } from "../../apimachinery/schema/yaml.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import { badRequest, StatusError, unsupportedMediaType } from "../../apimachinery/status.ts";
import type { Patch } from "../../client/client.ts";
import type { WriteRequest } from "../../registry/registry.ts";
import { textOf } from "../encoding/body.ts";
import { parseMediaType } from "../encoding/media-type.ts";
import { negotiate, offerOf } from "../encoding/negotiation.ts";
import { replyObject } from "../encoding/reply-encoded.ts";
import { isTrue } from "../request-info.ts";
import { requestContext, type Exchange } from "../exchange.ts";
import { keyOfPath, type ResourceHandler } from "./handler.ts";
import { patchOptions } from "./options.ts";

const applyCbor = "application/apply-patch+cbor";
const patchTypes = ["application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json", "application/apply-patch+yaml", applyCbor] as const;
/** The kinds of patch that custom resources take. */
const customPatchTypes: readonly string[] = ["application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml", applyCbor];
type PatchType = (typeof patchTypes)[number];

/** PATCH of an object, or of one of its subresources that has the same kind, such as status. */
export const patch: ResourceHandler = async ({ registry }, exchange, card) => {
  const media = negotiate(exchange, offerOf(card));
  const { patch: body, options } = await readPatch(exchange, card);
  const { object, created } = await registry.patch(requestContext(exchange), card, keyOfPath(exchange, card), body, { ...options, subresource: exchange.info.subresource || undefined });
  await replyObject(exchange, media, created ? 201 : 200, card, object);
};

/** Throws 415 for a kind of patch that isn't served, 422 for wrong options, 400 for a body that can't be one. */
export async function readPatch(exchange: Exchange, card: AnyResource): Promise<{ patch: Patch; options: WriteRequest }> {
  const type = patchTypeOf(exchange, card);
  const isApply = type === applyCbor || type === "application/apply-patch+yaml";
  const options = patchOptions(exchange, isApply);
  const body = await exchange.request.body();
  if (isApply) return { patch: readConfiguration(exchange, parseConfiguration(body, type === applyCbor), options), options };
  const isStrategic = type === "application/strategic-merge-patch+json", context = isStrategic ? "" : "error decoding patch: ";
  const { value, duplicates } = parsePatch(textOf(body), context);
  exchange.audit?.requestObject(value);
  if (type === "application/json-patch+json") {
    const operations = readOperations(value, context);
    return { patch: { type, body: operations }, options: { ...options, complaints: [...operations.flatMap(unknownFields), ...duplicates].map((text) => `json patch ${text}`) } };
  }
  if (value === null && !isStrategic) throw badRequest("Invalid JSON Patch");
  if (value !== null && !isObject(value)) throw badRequest(`${context}json: cannot unmarshal ${jsonTypeOf(value)} into Go value of type map[string]interface {}`);
  return { patch: { type, body: value ?? {} }, options: { ...options, complaints: duplicates } };
}

function patchTypeOf({ request }: Exchange, card: AnyResource): PatchType {
  const { type } = parseMediaType(request.headers["content-type"] ?? "");
  const known = patchTypes.find((each) => each === type);
  if (card.objectSchema && (!known || !customPatchTypes.includes(known))) throw unsupportedMediaType(`the body of the request was in an unknown format - accepted media types include: ${customPatchTypes.join(", ")}`);
  if (!known) throw new StatusError({ ...unsupportedMediaType("415: Unsupported Media Type").status, details: {} });
  return known;
}

function parsePatch(text: string, context: string): Parsed {
  try {
    return parseJson(text, { duplicates: true });
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    throw badRequest(context + error.message.slice(error.message.indexOf("parse error: ") + "parse error: ".length));
  }
}

const operationFields: readonly string[] = ["op", "path", "from"];

function readOperations(value: unknown, context: string): readonly unknown[] {
  if (value === null) return [];
  if (!Array.isArray(value)) throw badRequest(`${context}json: cannot unmarshal ${jsonTypeOf(value)} into Go value of type []handlers.jsonPatchOp`);
  for (const operation of value as unknown[]) {
    if (!isObject(operation)) throw badRequest(`${context}json: cannot unmarshal ${jsonTypeOf(operation)} into Go value of type handlers.jsonPatchOp`);
    for (const field of operationFields) {
      const given = operation[field];
      if (given !== undefined && given !== null && typeof given !== "string") throw badRequest(`${context}json: cannot unmarshal ${jsonTypeOf(given)} into Go struct field jsonPatchOp.${field} of type string`);
    }
  }
  return value as readonly unknown[];
}

const unknownFields = (operation: unknown, index: number): string[] =>
  Object.keys(operation as object).filter((field) => field !== "value" && !operationFields.includes(field)).map((field) => `unknown field ${JSON.stringify(`[${index}].${field}`)}`);

const jsonTypeOf = (value: unknown): string => (Array.isArray(value) ? "array" : isObject(value) ? "object" : typeof value === "boolean" ? "bool" : typeof value);

function parseConfiguration(body: Uint8Array, isCbor: boolean): Parsed {
  try {
    return isCbor ? parseCbor(body) : parseYaml(textOf(body), { duplicates: true });
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    throw badRequest(`error decoding YAML: ${error.message}`);
  }
}

const duplicatesPrefix = "yaml: unmarshal errors:\n";

/** A server-side apply's body. */
function readConfiguration({ audit, query, warnings }: Exchange, { value, duplicates }: Parsed, { fieldValidation = "Warn" }: WriteRequest): Patch {
  if (value !== null && !isObject(value)) throw badRequest(`error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${jsonTypeOf(value)} into Go value of type map[string]interface {}`);
  audit?.requestObject(value);
  if (duplicates.length && fieldValidation === "Strict") throw badRequest(`error strict decoding YAML: error converting YAML to JSON: ${duplicates.join(", ")}`);
  if (fieldValidation === "Warn") warnings.push(...duplicates.flatMap((text) => text.replace(duplicatesPrefix, "").split("\n").map((line) => line.trim())));
  return { type: "application/apply-patch+yaml", body: value ?? {}, force: isTrue(query.get("force")) };
}
