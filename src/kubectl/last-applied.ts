import type { JsonObject } from "../apimachinery/own.ts";
import { KubectlError } from "./errors.ts";
import { goJson, type PlainObject } from "./objects.ts";

export const lastAppliedAnnotation = "kubectl.kubernetes.io/last-applied-configuration";

/** A copy that carries its own text, byte for byte as kubectl writes it, so that either may apply next. */
export function withLastApplied(object: PlainObject): PlainObject {
  const { [lastAppliedAnnotation]: _, ...annotations } = object.metadata.annotations ?? {};
  const bare = { ...object, metadata: { ...object.metadata, annotations } };
  return { ...bare, metadata: { ...bare.metadata, annotations: { ...annotations, [lastAppliedAnnotation]: `${goJson(bare)}\n` } } };
}

/** What was applied last; undefined for an object that never was. */
export function lastAppliedOf(object: PlainObject): JsonObject | undefined {
  const text = object.metadata.annotations?.[lastAppliedAnnotation];
  if (!text) return undefined;
  try {
    return JSON.parse(text) as JsonObject;
  } catch (error) {
    throw new KubectlError(`the annotation ${lastAppliedAnnotation} can't be read: ${(error as Error).message}`);
  }
}
