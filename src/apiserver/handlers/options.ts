import { forbiddenField, invalidValue, notSupported, required, tooLong, type FieldError } from "../../apimachinery/field-errors.ts";
import type { FieldValidation } from "../../apimachinery/schema/decode.ts";
import { parseFieldSelector, requiredValue } from "../../apimachinery/selectors/fields.ts";
import { badRequest, invalid } from "../../apimachinery/status.ts";
import type { DeleteOptions } from "../../apis/generated/meta/v1.ts";
import type { ListOptions, WatchOptions } from "../../client/client.ts";
import type { WriteRequest } from "../../registry/registry.ts";
import { readOptionalBody } from "../encoding/body.ts";
import type { Exchange } from "../exchange.ts";
import { isTrue } from "../request-info.ts";

const validations: readonly string[] = ["", "Ignore", "Strict", "Warn"];

const optionKinds: Readonly<Record<string, string>> = { update: "UpdateOptions", patch: "PatchOptions" };
const optionsKind = ({ info }: Exchange): string => optionKinds[info.verb] ?? "CreateOptions";

/** Throws 422 for options of a kind that aren't right. */
function refuseOptions(kind: string, errors: readonly FieldError[]): void {
  if (errors.length) throw invalid({ group: "meta.k8s.io", kind }, "", errors);
}

export function fieldValidationOf(exchange: Exchange): FieldValidation {
  const asked = exchange.query.get("fieldValidation");
  refuseOptions(optionsKind(exchange), validationErrors(asked));
  return (asked || "Warn") as FieldValidation;
}

const validationErrors = (asked: string | null): FieldError[] => (validations.includes(asked ?? "") ? [] : [notSupported("fieldValidation", asked, validations)]);

/** CreateOptions and UpdateOptions, as query parameters. */
export const writeOptions = (exchange: Exchange): WriteRequest => readOptions(exchange, []);

/** PatchOptions. Server-side apply has to say who applies, and alone may force. */
export function patchOptions(exchange: Exchange, isApply: boolean): WriteRequest {
  const { query } = exchange;
  if (!isApply) return readOptions(exchange, query.get("force") === null ? [] : [forbiddenField("force", "may not be specified for non-apply patch")]);
  return readOptions(exchange, query.get("fieldManager") ? [] : [required("fieldManager", "is required for apply patch")]);
}

function readOptions(exchange: Exchange, errors: FieldError[]): WriteRequest {
  const { query } = exchange;
  const fieldManager = query.get("fieldManager") || undefined, dryRun = query.getAll("dryRun");
  refuseOptions(optionsKind(exchange), [...errors, ...managerErrors(fieldManager ?? ""), ...dryRunErrors(dryRun), ...validationErrors(query.get("fieldValidation"))]);
  return { dryRun: dryRun.length > 0, fieldManager, fieldValidation: (query.get("fieldValidation") || "Warn") as FieldValidation };
}

function managerErrors(fieldManager: string): FieldError[] {
  const errors: FieldError[] = [];
  if (Buffer.byteLength(fieldManager) > 128) errors.push(tooLong("fieldManager", 128));
  const unprintable = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.exec(fieldManager);
  if (unprintable) {
    const code = unprintable[0].codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
    errors.push(invalidValue("fieldManager", fieldManager, `invalid character U+${code} (at position ${Buffer.byteLength(fieldManager.slice(0, unprintable.index))})`));
  }
  return errors;
}

const dryRunErrors = (values: readonly string[]): FieldError[] => (values.some((value) => value !== "All") ? [notSupported("dryRun", values, ["All"])] : []);

/** From the body, else from query parameters. */
export const deleteOptions = async (exchange: Exchange): Promise<DeleteOptions> =>
  await readOptionalBody<DeleteOptions>(exchange, "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions") ?? deleteOptionsOf(exchange.query);

function deleteOptionsOf(query: URLSearchParams): DeleteOptions {
  const orphan = query.get("orphanDependents");
  const dryRun = query.getAll("dryRun");
  return {
    gracePeriodSeconds: integer(query, "gracePeriodSeconds"),
    propagationPolicy: query.get("propagationPolicy") ?? undefined,
    ...(orphan === null ? {} : { orphanDependents: isTrue(orphan) }),
    ...(dryRun.length ? { dryRun } : {}),
  };
}

/** A name in the path of a watch (`/watch/…/NAME`) narrows the selection. */
export function listOptions({ query, info }: Exchange, namespaced: boolean): ListOptions {
  const fieldSelector = query.get("fieldSelector") || undefined;
  const named = info.parts[1] ? `metadata.name=${info.parts[1]}` : undefined;
  if (named && fieldSelector && requiredValue(parseFieldSelector(fieldSelector), "metadata.name") !== info.parts[1]) throw badRequest("fieldSelector metadata.name doesn't match requested name");
  return {
    namespace: namespaced && info.namespace ? info.namespace : undefined,
    labelSelector: query.get("labelSelector") || undefined,
    fieldSelector: named && fieldSelector ? `${named},${fieldSelector}` : named ?? fieldSelector,
    limit: integer(query, "limit") || undefined,
    continue: query.get("continue") || undefined,
    resourceVersion: query.get("resourceVersion") ?? undefined,
    resourceVersionMatch: query.get("resourceVersionMatch") || undefined,
  };
}

export function watchOptions(exchange: Exchange, namespaced: boolean): WatchOptions {
  const initial = exchange.query.get("sendInitialEvents");
  return {
    ...listOptions(exchange, namespaced),
    allowWatchBookmarks: isTrue(exchange.query.get("allowWatchBookmarks")),
    ...(initial === null ? {} : { sendInitialEvents: isTrue(initial) }),
    timeoutSeconds: integer(exchange.query, "timeoutSeconds"),
  };
}

export function integer(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === "") return undefined;
  if (!/^-?\d{1,18}$/.test(text)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: ${/^[-+]?\d+$/.test(text) ? "value out of range" : "invalid syntax"}`);
  return Number(text);
}
