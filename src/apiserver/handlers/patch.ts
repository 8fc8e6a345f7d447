import { forbiddenField, required } from "../../apimachinery/field-errors.ts";
import { isObject } from "../../apimachinery/own.ts";
import { parseYaml } from "../../apimachinery/schema/yaml.ts";
import { parseJson } from "../../apimachinery/schema/json.ts";
import { badRequest, invalid, unsupportedMediaType } from "../../apimachinery/status.ts";
import type { Patch } from "../../client/client.ts";
import { textOf } from "../encoding/body.ts";
import { parseMediaType } from "../encoding/media-type.ts";
import { negotiate, offerOf } from "../encoding/negotiation.ts";
import { replyObject } from "../encoding/reply-encoded.ts";
import { isTrue } from "../request-info.ts";
import { requestContext, type Exchange } from "../exchange.ts";
import { keyOfPath, type ResourceHandler } from "./handler.ts";
import { writeOptions } from "./options.ts";

const patchTypes = ["application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json", "application/apply-patch+yaml"] as const;

/** PATCH of an object, or of one of its subresources that has the same kind, such as status. */
export const patch: ResourceHandler = async ({ registry }, exchange, card) => {
  const media = negotiate(exchange, offerOf(card));
  const options = { ...writeOptions(exchange), subresource: exchange.info.subresource || undefined };
  const body = await readPatch(exchange);
  const { object, created } = await registry.patch(requestContext(exchange), card, keyOfPath(exchange, card), body, options);
  await replyObject(exchange, media, created ? 201 : 200, card, object);
};

/** Throws 415 for a kind of patch that isn't served, 400 for a body that can't be one. */
export async function readPatch(exchange: Exchange): Promise<Patch> {
  const { request, audit } = exchange;
  const { type } = parseMediaType(request.headers["content-type"] ?? "");
  const known = patchTypes.find((each) => each === type);
  if (!known) throw unsupportedMediaType(`the body of the request was in an unknown format - accepted media types include: ${patchTypes.join(", ")}`);
  if (known === "application/apply-patch+yaml") return readConfiguration(exchange);
  if (exchange.query.get("force") !== null) throw invalid(patchOptions, "", [forbiddenField("force", "may not be specified for non-apply patch")]);
  const { value } = parseJson(textOf(await request.body()));
  audit?.requestObject(value);
  if (known !== "application/json-patch+json") {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw badRequest("error decoding patch: the patch must be a JSON object");
    return { type: known, body: value };
  }
  if (!Array.isArray(value)) throw badRequest("error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch");
  return { type: known, body: value };
}

const patchOptions = { group: "meta.k8s.io", kind: "PatchOptions" };

/** A server-side apply's body, YAML or JSON, and its options. */
async function readConfiguration({ request, audit, query, warnings }: Exchange): Promise<Patch> {
  if (!query.get("fieldManager")) throw invalid(patchOptions, "", [required("fieldManager", "is required for apply patch")]);
  const { value, duplicates } = parseYaml(textOf(await request.body()), { duplicates: true });
  if (!isObject(value)) throw badRequest("error decoding YAML: the configuration must be an object");
  audit?.requestObject(value);
  const validation = query.get("fieldValidation") || "Warn";
  if (duplicates.length && validation === "Strict") throw badRequest(`error strict decoding YAML: ${duplicates.join(", ")}`);
  if (validation === "Warn") warnings.push(...duplicates);
  return { type: "application/apply-patch+yaml", body: value, force: isTrue(query.get("force")) };
}
