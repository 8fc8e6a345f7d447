import type { KubeObject } from "../apimachinery/meta.ts";
import type { Lister } from "../client/informer.ts";

/** Finds the lister of a kind by its group and plural; empty for a kind that is not served. How admission reads other objects. */
export type Listers = <T extends KubeObject>(group: string, resource: string) => Lister<T>;
