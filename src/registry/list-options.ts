import { forbiddenField, notSupported, type FieldError } from "../apimachinery/field-errors.ts";
import { badRequest, invalid, StatusError, timeout } from "../apimachinery/status.ts";
import type { ListOptions, WatchOptions } from "../client/client.ts";
import type { Cacher } from "../storage/cacher/cacher.ts";

/** k8s.io/apimachinery/pkg/apis/meta/internalversion/validation ValidateListOptions. */
export function validateListOptions({ resourceVersion, resourceVersionMatch: match, continue: token, ...others }: ListOptions & Pick<WatchOptions, "sendInitialEvents">): void {
  const errors = match ? matchErrors(match, resourceVersion, token) : [];
  if (others.sendInitialEvents !== undefined) errors.push(forbiddenField("sendInitialEvents", "sendInitialEvents is forbidden for list"));
  refuse(errors);
}

function matchErrors(match: string, resourceVersion: string | undefined, token: string | undefined): FieldError[] {
  const errors: FieldError[] = [];
  if (!resourceVersion) errors.push(forbiddenField("resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided"));
  if (token) errors.push(forbiddenField("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided"));
  if (match !== "Exact" && match !== "NotOlderThan") errors.push(notSupported("resourceVersionMatch", match, ["Exact", "NotOlderThan", ""]));
  if (match === "Exact" && resourceVersion === "0") errors.push(forbiddenField("resourceVersionMatch", 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'));
  return errors;
}

/** A watch that doesn't say where to begin asks for what exists, and so for the bookmark that ends it. Source: the same package's SetListOptionsDefaults. */
export function withWatchDefaults(options: WatchOptions): WatchOptions {
  const { sendInitialEvents, resourceVersionMatch, resourceVersion = "" } = options;
  if (sendInitialEvents !== undefined || resourceVersionMatch || (resourceVersion !== "" && resourceVersion !== "0")) return options;
  return { ...options, sendInitialEvents: true, resourceVersionMatch: "NotOlderThan" };
}

/** ValidateListOptions for a watch. */
export function validateWatchOptions({ resourceVersionMatch: match, sendInitialEvents, continue: token }: WatchOptions): void {
  const errors: FieldError[] = [];
  if (sendInitialEvents !== undefined && match !== "NotOlderThan") {
    errors.push(forbiddenField("resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"));
  }
  if (match) {
    if (sendInitialEvents === undefined) errors.push(forbiddenField("resourceVersionMatch", "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"));
    if (match !== "NotOlderThan") errors.push(notSupported("resourceVersionMatch", match, ["NotOlderThan"]));
    if (token) errors.push(forbiddenField("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided"));
  }
  refuse(errors);
}

function refuse(errors: readonly FieldError[]): void {
  if (errors.length) throw invalid({ group: "meta.k8s.io", kind: "ListOptions" }, "", errors);
}

/** The number in a resourceVersion parameter; 0 for none. */
export function parseRevision(text: string | undefined): number {
  if (!text) return 0;
  const revision = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(revision)) throw badRequest(`invalid resource version: resourceVersion: Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`);
  return revision;
}

/** Waits until the cache can answer for a resourceVersion: none asks for what is newest, 0 takes what there is. */
export async function freshEnough(cacher: Cacher, resourceVersion: string | undefined, signal?: AbortSignal): Promise<void> {
  if (resourceVersion) await atLeast(cacher, parseRevision(resourceVersion), signal);
  else await cacher.upToDate();
}

/** As long as Kubernetes' watch cache waits for a resourceVersion that it has not seen yet. */
const freshnessWaitMs = 3000;

/** Waits a little for a revision of the future; 504 when it does not come, so that clients of a restored cluster start over. */
export async function atLeast(cacher: Cacher, revision: number, signal?: AbortSignal): Promise<void> {
  if (revision <= cacher.revision) return;
  const limit = AbortSignal.timeout(freshnessWaitMs);
  try {
    await cacher.reached(revision, signal ? AbortSignal.any([signal, limit]) : limit);
  } catch (error) {
    if (!limit.aborted) throw error;
    throw tooLarge(revision, cacher.revision);
  }
}

function tooLarge(revision: number, current: number): StatusError {
  const error = timeout(`Timeout: Too large resource version: ${revision}, current: ${current}`, 1);
  error.status.details = { ...error.status.details, causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }] };
  return error;
}
