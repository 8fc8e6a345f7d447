import { cloneJson } from "../apimachinery/clone.ts";
import { invalidValue } from "../apimachinery/field-errors.ts";
import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import { applyConfiguration } from "../apimachinery/managedfields/field-manager.ts";
import { isObject, type JsonObject } from "../apimachinery/own.ts";
import { showGo } from "../apimachinery/patch/go-text.ts";
import { applyJsonPatch, PatchError } from "../apimachinery/patch/json-patch.ts";
import { applyMergePatch } from "../apimachinery/patch/merge-patch.ts";
import { objectSchemaOf } from "../apimachinery/object-schema.ts";
import { apiVersionOf, type AnyResource, type ResourceCard } from "../apimachinery/resource.ts";
import { kindFault } from "../apimachinery/schema/kind-fault.ts";
import { badRequest, conflict, invalid, StatusError, unsupportedMediaType } from "../apimachinery/status.ts";
import type { ObjectKey, Patch } from "../client/client.ts";
import type { RequestContext } from "./attributes.ts";
import { managedWrite } from "./field-management.ts";
import type { Machinery } from "./machinery.ts";
import { restoreFault } from "./restore-fault.ts";
import type { WriteRequest } from "./registry.ts";
import { updateObject, type Updated } from "./update.ts";

type ApplyPatch = Extract<Patch, { type: "application/apply-patch+yaml" }>;
type ChangePatch = Exclude<Patch, ApplyPatch>;
export const isApply = (patch: Patch): patch is ApplyPatch => patch.type === "application/apply-patch+yaml";

/** What a patch is read as: a card, or a kind of its own such as Scale. */
export type PatchedKind = Pick<AnyResource, "group" | "version" | "kind" | "schema" | "objectSchema">;

export function patchObject<T extends KubeObject>(machinery: Machinery, context: RequestContext, card: ResourceCard<T>, key: ObjectKey, patch: Patch, options: WriteRequest & { subresource?: string } = {}): Promise<Updated<T>> {
  const warned = new Set<string>();
  const warn = (text: string): void => {
    if (!warned.has(text)) context.warn(text);
    warned.add(text);
  };
  return updateObject(machinery, context, card, key, {
    ...options, ...(isApply(patch) ? { applied: true } : { mustExist: true }),
    change(current) {
      const object = isApply(patch) ? applied<T>(machinery, context, card, current as Frozen<KubeObject> | undefined, patch, options) : patched<T>(card, current, patch, options, warn);
      if (!current && object.metadata?.uid) throw conflict(card, key.name, `uid mismatch: the provided object specified uid ${object.metadata.uid}, and no existing object was found`);
      requireName(object, key);
      const { uid } = object.metadata;
      if (current && uid && uid !== (current as Frozen<KubeObject>).metadata.uid) {
        const fault = invalidValue("metadata.uid", uid, "field is immutable");
        throw invalid(card, key.name, [fault, fault]);
      }
      return object;
    },
  });
}

/** A patch can take away the name, or give none to what it makes. */
export function requireName({ metadata }: KubeObject, { name }: ObjectKey): void {
  if (!metadata?.name) throw badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`);
}

/** The configuration was checked against the type, so that what doesn't fit comes from elsewhere and goes. */
function applied<T>(machinery: Machinery, context: RequestContext, card: AnyResource, current: Frozen<KubeObject> | undefined, patch: ApplyPatch, { subresource = "", fieldManager }: WriteRequest & { subresource?: string }): T {
  const object = applyConfiguration(current, cloneJson(patch.body) as JsonObject, managedWrite(machinery, context, card, subresource, fieldManager), patch.force ?? false);
  return objectSchemaOf(card).decode<T>(object).object;
}

/** Applies a patch to an object of a kind, and reads the result as that kind. `current` is not changed. */
export function patched<T>(kind: PatchedKind, current: Frozen<T> | T | undefined, patch: ChangePatch, { fieldValidation = "Warn", complaints = [] }: WriteRequest, warn: (text: string) => void): T {
  const result = apply(kind, { ...current as object, kind: kind.kind, apiVersion: apiVersionOf(kind) }, patch);
  const refuse = (detail: string): StatusError => invalid({ group: "", kind: "" }, "", [invalidValue("patch", shown(patch, result), detail)]);
  const fault = isObject(result) && !kind.objectSchema && patch.type !== "application/strategic-merge-patch+json" ? kindFault(result, kind) : undefined;
  if (fault) throw refuse(fault);
  const { object, unknownFields } = read<T>(kind, patch, result, fieldValidation, refuse);
  if (fieldValidation === "Ignore") return object;
  const found = [...complaints, ...unknownFields];
  if (found.length && fieldValidation === "Strict") throw refuse(`strict decoding error: ${found.join(", ")}`);
  found.forEach(warn);
  return object;
}

function read<T>(kind: PatchedKind, patch: ChangePatch, result: unknown, fieldValidation: "Strict" | "Warn" | "Ignore", refuse: (detail: string) => StatusError): { object: T; unknownFields: readonly string[] } {
  try {
    return objectSchemaOf(kind).decode<T>(result, { fieldValidation: fieldValidation === "Strict" ? "Warn" : fieldValidation });
  } catch (error) {
    if (!(error instanceof StatusError) || error.code !== 400) throw error;
    const detail = error.message.replace(/^.*? cannot be handled as an? [^:]*: /s, "");
    throw refuse(patch.type === "application/strategic-merge-patch+json" ? restoreFault(detail, patch.body) : detail);
  }
}

/** As Kubernetes shows what it couldn't read: a strategic merge patch as it came, of the others the result. */
function shown(patch: ChangePatch, result: unknown): string {
  if (patch.type === "application/strategic-merge-patch+json") return showGo(patch.body);
  return JSON.stringify(isObject(result) ? Object.fromEntries(Object.entries(result).sort(([a], [b]) => (a < b ? -1 : 1))) : result);
}

/** The kinds of patch that custom resources take. */
const withoutStrategicMerge = ["application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"];

function apply(kind: PatchedKind, current: unknown, patch: ChangePatch): unknown {
  try {
    switch (patch.type) {
      case "application/json-patch+json": return applyJsonPatch(current, patch.body);
      case "application/merge-patch+json": return applyMergePatch(current, patch.body);
      case "application/strategic-merge-patch+json": {
        const { strategicMerge } = objectSchemaOf(kind);
        if (!strategicMerge) throw unsupportedMediaType(`the body of the request was in an unknown format - accepted media types include: ${withoutStrategicMerge.join(", ")}`);
        return strategicMerge(current, patch.body);
      }
    }
  } catch (error) {
    if (!(error instanceof PatchError)) throw error;
    throw new StatusError({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message: "the server rejected our request due to an error in our request", reason: "Invalid", details: {}, code: 422 }, { cause: error });
  }
}
