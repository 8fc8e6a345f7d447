import type { KubeObject } from "../../apimachinery/meta.ts";
import type { MergeType } from "../../apimachinery/managedfields/merge-type.ts";
import type { ObjectSchema } from "../../apimachinery/object-schema.ts";
import { isObject } from "../../apimachinery/own.ts";
import type { Decoded, DecodeOptions } from "../../apimachinery/schema/decode.ts";
import { badRequest } from "../../apimachinery/status.ts";
import { coerced, CoercionError } from "../schema/metadata.ts";
import { resourceMergeType } from "../schema/merge-type.ts";
import { pruned, UnknownFields } from "../schema/pruning.ts";
import type { ServedSchema } from "./served-schema.ts";

/** How custom resources are read: metadata as the API's, the rest pruned by the schema. Strategic merge they don't have. */
export function customObjectSchema(kind: string, version: string, schema: ServedSchema): ObjectSchema {
  const refuse = (text: string): Error => badRequest(`${kind} in version ${JSON.stringify(version)} cannot be handled as a ${kind}: ${text}`);
  return {
    decode<T>(json: unknown, { fieldValidation = "Ignore", duplicates = [] }: DecodeOptions = {}): Decoded<T> {
      if (!isObject(json)) throw refuse(`json: cannot unmarshal ${Array.isArray(json) ? "array" : typeof json} into Go value of type map[string]interface {}`);
      const track = fieldValidation !== "Ignore";
      const unknown = track ? new UnknownFields() : undefined, ofMetadata: string[] = [];
      const object = read(json, track ? ofMetadata : undefined, unknown) as Partial<KubeObject>;
      object.metadata ??= {};
      const fields = [...ofMetadata.filter(isRoot).toSorted(), ...(unknown?.found ?? []).toSorted(), ...ofMetadata.filter((field) => !isRoot(field)).toSorted()].map((field) => `unknown field ${JSON.stringify(field)}`);
      const complaints = track ? [...duplicates, ...fields] : [];
      if (fieldValidation === "Strict" && complaints.length > 0) throw refuse(`strict decoding error: ${complaints.join(", ")}`);
      return { object: object as T, unknownFields: complaints.flatMap(linesOf) };
    },
    get mergeType(): MergeType {
      return resourceMergeType(schema.value);
    },
  };

  function read(json: object, ofMetadata: string[] | undefined, unknown: UnknownFields | undefined): object {
    try {
      const known = schema.value;
      const object = coerced(structuredClone(json), known ?? { "x-kubernetes-embedded-resource": true }, ofMetadata ? { unknown: ofMetadata } : {});
      return known ? pruned(object, known, unknown) : object;
    } catch (error) {
      if (error instanceof CoercionError) throw refuse(error.message);
      if (error instanceof RangeError) throw refuse("exceeded max depth");
      throw error;
    }
  }
}

const isRoot = (field: string): boolean => field.startsWith("metadata.");

/** go-yaml's complaints stand one by one. */
function linesOf(message: string): string[] {
  const prefix = "yaml: unmarshal errors:\n";
  return message.startsWith(prefix) ? message.slice(prefix.length).split("\n").map((line) => line.trim()) : [message];
}
