import { invalidValue } from "../apimachinery/field-errors.ts";
import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import { applyConfiguration } from "../apimachinery/managedfields/field-manager.ts";
import type { JsonObject } from "../apimachinery/own.ts";
import { applyJsonPatch } from "../apimachinery/patch/json-patch.ts";
import { applyMergePatch } from "../apimachinery/patch/merge-patch.ts";
import { objectSchemaOf } from "../apimachinery/object-schema.ts";
import type { AnyResource, ResourceCard } from "../apimachinery/resource.ts";
import { invalid, unsupportedMediaType } from "../apimachinery/status.ts";
import type { ObjectKey, Patch } from "../client/client.ts";
import type { RequestContext } from "./attributes.ts";
import { managedWrite } from "./field-management.ts";
import type { Machinery } from "./machinery.ts";
import type { WriteRequest } from "./registry.ts";
import { updateObject, type Updated } from "./update.ts";

type ApplyPatch = Extract<Patch, { type: "application/apply-patch+yaml" }>;
type ChangePatch = Exclude<Patch, ApplyPatch>;
export const isApply = (patch: Patch): patch is ApplyPatch => patch.type === "application/apply-patch+yaml";

export function patchObject<T extends KubeObject>(machinery: Machinery, context: RequestContext, card: ResourceCard<T>, key: ObjectKey, patch: Patch, options: WriteRequest & { subresource?: string } = {}): Promise<Updated<T>> {
  const warned = new Set<string>();
  return updateObject(machinery, context, card, key, {
    ...options, ...(isApply(patch) ? { applied: true } : { mustExist: true }),
    change: (current) => isApply(patch)
      ? decoded<T>(card, applyConfiguration(current as Frozen<KubeObject> | undefined, structuredClone(patch.body) as JsonObject, managedWrite(machinery, context, card, options.subresource ?? "", options.fieldManager), patch.force ?? false))
      : patched<T>(card, current, patch, options, (text) => {
        if (!warned.has(text)) context.warn(text);
        warned.add(text);
      }),
  });
}

/** The configuration was checked against the type, so that what doesn't fit comes from elsewhere and goes. */
const decoded = <T>(card: AnyResource, object: KubeObject): T => objectSchemaOf(card).decode<T>(object).object;

/** Applies a patch to an object of a kind, and reads the result as that kind. `current` is not changed. */
export function patched<T>(kind: Pick<AnyResource, "schema" | "objectSchema">, current: Frozen<T> | T | undefined, patch: ChangePatch, { fieldValidation = "Warn" }: WriteRequest, warn: (text: string) => void): T {
  const { object, unknownFields } = objectSchemaOf(kind).decode<T>(apply(kind, current, patch), { fieldValidation: fieldValidation === "Strict" ? "Warn" : fieldValidation });
  if (unknownFields.length && fieldValidation === "Strict") {
    throw invalid({ group: "", kind: "" }, "", [invalidValue("patch", JSON.stringify(patch.body), `strict decoding error: ${unknownFields.join(", ")}`)]);
  }
  unknownFields.forEach(warn);
  return object;
}

/** The kinds of patch that custom resources take. */
const withoutStrategicMerge = ["application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"];

function apply(kind: Pick<AnyResource, "schema" | "objectSchema">, current: unknown, patch: ChangePatch): unknown {
  switch (patch.type) {
    case "application/json-patch+json": return applyJsonPatch(current, patch.body);
    case "application/merge-patch+json": return applyMergePatch(current, patch.body);
    case "application/strategic-merge-patch+json": {
      const { strategicMerge } = objectSchemaOf(kind);
      if (!strategicMerge) throw unsupportedMediaType(`the body of the request was in an unknown format - accepted media types include: ${withoutStrategicMerge.join(", ")}`);
      return strategicMerge(current, patch.body);
    }
  }
}
