import type { Frozen } from "../../apimachinery/meta.ts";
import { schemaOf, type PackedVersion } from "../definition/packing.ts";
import { asResource, withoutProse, type Schema } from "../schema/schema.ts";

/** About how much unpacked JSON is kept of schemas in use; of the rest only the packed form. */
const mostBytes = 8 << 20;
/** How much larger JSON is than its packed form, about. */
const packedRatio = 8;

/** The schemas that are unpacked now, the least recently used one first. */
const unpacked = new Set<ServedSchema>();
let bytes = 0;

/** The schema of one served version: unpacked when it is first needed, and let go again when others have been needed since. */
export class ServedSchema {
  #value: Schema | undefined;
  readonly #size: number;

  constructor(readonly version: Frozen<PackedVersion>) {
    const stored = version.schema?.openAPIV3Schema;
    this.#size = typeof stored === "string" ? stored.length * packedRatio : 1024;
  }

  /** As that of a resource, so metadata, apiVersion and kind are not the schema's business. Undefined when the version has none: nothing is known, so nothing is pruned. */
  get value(): Schema | undefined {
    if (this.#value) {
      unpacked.delete(this);
      unpacked.add(this);
      return this.#value;
    }
    const schema = schemaOf(this.version);
    if (!schema) return undefined;
    this.#value = asResource(withoutProse(schema));
    unpacked.add(this);
    bytes += this.#size;
    while (bytes > mostBytes && unpacked.size > 1) unpacked.values().next().value!.#letGo();
    return this.#value;
  }

  #letGo(): void {
    this.#value = undefined;
    unpacked.delete(this);
    bytes -= this.#size;
  }
}
