import { applyPatch, type Operation } from "rfc6902";
import { isObject } from "../own.ts";
import { badRequest, requestEntityTooLarge, StatusError } from "../status.ts";

/** As many operations as Kubernetes takes. */
const mostOperations = 10_000;
const operations = new Set(["add", "remove", "replace", "move", "copy", "test"]);

/**
 * RFC 6902, on a copy. Throws a StatusError: 400 for what is no JSON Patch, 422 when an operation doesn't apply or a test fails,
 * 413 for too many operations.
 */
export function applyJsonPatch(target: unknown, patch: unknown): unknown {
  const checked = checkPatch(patch);
  const result = { document: structuredClone(target) };
  for (const operation of checked) {
    const nested = { ...operation, path: `/document${operation.path}`, ...("from" in operation ? { from: `/document${operation.from}` } : {}) } as Operation;
    const [error] = applyPatch(result, [nested]);
    if (error) throw rejected(describe(operation, error.name));
  }
  return result.document;
}

function checkPatch(patch: unknown): Operation[] {
  if (!Array.isArray(patch)) throw badRequest("error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch");
  if (patch.length > mostOperations) throw requestEntityTooLarge(`The allowed maximum operations in a JSON patch is ${mostOperations}, got ${patch.length}`);
  for (const operation of patch as unknown[]) {
    if (!isObject(operation) || !operations.has(operation.op as string)) throw rejected(`Unexpected kind: ${isObject(operation) ? String(operation.op) : "unknown"}`);
    if (!isPointer(operation.path)) throw rejected(`${String(operation.op)} operation has no valid path`);
    if ((operation.op === "move" || operation.op === "copy") && !isPointer(operation.from)) throw rejected(`${operation.op} operation has no valid from`);
    if (["add", "replace"].includes(operation.op as string) && operation.value === undefined) throw rejected(`${String(operation.op)} operation has no value`);
  }
  return patch as Operation[];
}

/** The library skips these segments, so that a patch with one would change something else than it says. */
const skipped = /\/(?:__proto__|constructor|prototype)(?:\/|$)/;
const isPointer = (text: unknown): text is string => typeof text === "string" && (text === "" || text.startsWith("/")) && !skipped.test(text);

function describe(operation: Operation, error: string): string {
  if (error === "TestError") return `testing value ${operation.path} failed: test failed`;
  return `${operation.op} operation does not apply: doc is missing path: ${JSON.stringify(operation.path)}: missing value`;
}

/** What a patch that can't be applied is answered with. */
export function rejected(detail: string): StatusError {
  const message = `the server rejected our request due to an error in our request: ${detail}`;
  return new StatusError({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason: "Invalid", details: {}, code: 422 });
}
