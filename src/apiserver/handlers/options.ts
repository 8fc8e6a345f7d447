import { invalidValue, notSupported } from "../../apimachinery/field-errors.ts";
import type { FieldValidation } from "../../apimachinery/schema/decode.ts";
import { parseFieldSelector, requiredValue } from "../../apimachinery/selectors/fields.ts";
import { badRequest, invalid } from "../../apimachinery/status.ts";
import type { DeleteOptions } from "../../apis/generated/meta/v1.ts";
import type { ListOptions, WatchOptions } from "../../client/client.ts";
import type { WriteRequest } from "../../registry/registry.ts";
import { readOptionalBody } from "../encoding/body.ts";
import type { Exchange } from "../exchange.ts";
import { isTrue } from "../request-info.ts";

const validations: readonly string[] = ["Ignore", "Warn", "Strict"];

const optionKinds: Readonly<Record<string, string>> = { update: "UpdateOptions", patch: "PatchOptions" };
const optionsKind = ({ info }: Exchange): string => optionKinds[info.verb] ?? "CreateOptions";

export function fieldValidationOf(exchange: Exchange): FieldValidation {
  const asked = exchange.query.get("fieldValidation") || "Warn";
  if (!validations.includes(asked)) throw invalid({ group: "meta.k8s.io", kind: optionsKind(exchange) }, "", [notSupported("fieldValidation", asked, validations)]);
  return asked as FieldValidation;
}

/** CreateOptions, UpdateOptions and PatchOptions, as query parameters. */
export function writeOptions(exchange: Exchange): WriteRequest {
  const { query } = exchange;
  const fieldManager = query.get("fieldManager") || undefined;
  if (fieldManager && fieldManager.length > 128) throw invalid({ group: "meta.k8s.io", kind: optionsKind(exchange) }, "", [invalidValue("fieldManager", fieldManager, "may not be more than 128 bytes")]);
  return { dryRun: isDryRun(query.getAll("dryRun"), optionsKind(exchange)), fieldManager, fieldValidation: fieldValidationOf(exchange) };
}

function isDryRun(values: readonly string[], kind: string): boolean {
  for (const value of values) if (value !== "All") throw invalid({ group: "meta.k8s.io", kind }, "", [notSupported("dryRun", value, ["All"])]);
  return values.length > 0;
}

/** From the body, else from query parameters. */
export async function deleteOptions(exchange: Exchange): Promise<DeleteOptions> {
  const options = await readOptionalBody<DeleteOptions>(exchange, "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions") ?? deleteOptionsOf(exchange.query);
  isDryRun(options.dryRun ?? [], "DeleteOptions");
  const { propagationPolicy } = options;
  const policies = ["Foreground", "Background", "Orphan"];
  if (propagationPolicy !== undefined && !policies.includes(propagationPolicy)) throw invalid({ group: "meta.k8s.io", kind: "DeleteOptions" }, "", [notSupported("propagationPolicy", propagationPolicy, policies)]);
  return options;
}

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
