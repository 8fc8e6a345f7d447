import type { MergeType } from "./managedfields/merge-type.ts";
import { tableMergeType } from "./managedfields/table-merge-type.ts";
import type { AnyResource } from "./resource.ts";
import { applyStrategicMergePatch } from "./patch/strategic.ts";
import { decode, type Decoded, type DecodeOptions } from "./schema/decode.ts";

/** How objects of one kind are read and merged. For built-in kinds all of it comes from the schema table; a custom resource brings its own. */
export interface ObjectSchema {
  /** As `schema/decode.ts`: reads parsed JSON as this kind. */
  decode<T>(json: unknown, options?: DecodeOptions): Decoded<T>;
  /** Absent where strategic merge has no meaning: a PATCH that asks for it is answered 415. */
  strategicMerge?(current: unknown, patch: unknown): unknown;
  /** What server-side apply goes by. */
  readonly mergeType: MergeType;
}

/** The schema of a card, or of a kind of the table such as Scale that has no card. */
export function objectSchemaOf(kind: Pick<AnyResource, "schema" | "objectSchema">): ObjectSchema {
  return kind.objectSchema ?? tableSchema(kind.schema);
}

const known = new Map<string, ObjectSchema>();

function tableSchema(name: string): ObjectSchema {
  let schema = known.get(name);
  if (!schema) {
    known.set(name, schema = {
      decode: (json, options) => decode(name, json, options),
      strategicMerge: (current, patch) => applyStrategicMergePatch(name, current, patch),
      get mergeType() {
        return tableMergeType(name);
      },
    });
  }
  return schema;
}
