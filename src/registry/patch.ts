import { invalidValue } from "../apimachinery/field-errors.ts";
import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import { applyJsonPatch } from "../apimachinery/patch/json-patch.ts";
import { applyMergePatch } from "../apimachinery/patch/merge-patch.ts";
import { applyStrategicMergePatch } from "../apimachinery/patch/strategic.ts";
import type { ResourceCard } from "../apimachinery/resource.ts";
import { decode } from "../apimachinery/schema/decode.ts";
import { invalid } from "../apimachinery/status.ts";
import type { ObjectKey, Patch } from "../client/client.ts";
import type { RequestContext } from "./attributes.ts";
import type { Machinery } from "./machinery.ts";
import type { WriteRequest } from "./registry.ts";
import { updateObject, type Updated } from "./update.ts";

export function patchObject<T extends KubeObject>(machinery: Machinery, context: RequestContext, card: ResourceCard<T>, key: ObjectKey, patch: Patch, options: WriteRequest & { subresource?: string } = {}): Promise<Updated<T>> {
  const warned = new Set<string>();
  return updateObject(machinery, context, card, key, {
    ...options, mustExist: true,
    change: (current) => patched<T>(card.schema, current, patch, options, (text) => {
      if (!warned.has(text)) context.warn(text);
      warned.add(text);
    }),
  });
}

/** Applies a patch to an object of a type of the schema table, and reads the result as that type. `current` is not changed. */
export function patched<T>(schema: string, current: Frozen<T> | T | undefined, patch: Patch, { fieldValidation = "Warn" }: WriteRequest, warn: (text: string) => void): T {
  const { object, unknownFields } = decode<T>(schema, apply(schema, current, patch), { fieldValidation: fieldValidation === "Strict" ? "Warn" : fieldValidation });
  if (unknownFields.length && fieldValidation === "Strict") {
    throw invalid({ group: "", kind: "" }, "", [invalidValue("patch", JSON.stringify(patch.body), `strict decoding error: ${unknownFields.join(", ")}`)]);
  }
  unknownFields.forEach(warn);
  return object;
}

function apply(schema: string, current: unknown, patch: Patch): unknown {
  switch (patch.type) {
    case "application/json-patch+json": return applyJsonPatch(current, patch.body);
    case "application/merge-patch+json": return applyMergePatch(current, patch.body);
    case "application/strategic-merge-patch+json": return applyStrategicMergePatch(schema, current, patch.body);
  }
}
