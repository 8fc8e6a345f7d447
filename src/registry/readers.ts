import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import type { ListOptions, ObjectKey } from "../client/client.ts";

/** Reads a kind that is worked out when somebody asks, and not stored. Both methods throw `StatusError`. */
export interface Reader {
  /** Undefined when there is no such object. */
  get(key: ObjectKey): Promise<Frozen<KubeObject> | undefined>;
  /** What the selectors of `options` match. There are no chunks and no past. */
  list(options: ListOptions): Promise<Frozen<KubeObject>[]>;
}

/** By `resource.group`. */
export type Readers = Readonly<Record<string, Reader>>;
