import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";

/** An object as the cache holds it: decoded once, shared by everybody, `metadata.resourceVersion` set to `revision`. */
export interface Entry<T extends KubeObject = KubeObject> {
  readonly key: string;
  readonly object: Frozen<T>;
  readonly revision: number;
}

/** `object` of a DELETED event is the last state with the deletion's revision as resourceVersion; `previous` is missing when ADDED. */
export interface CacheEvent<T extends KubeObject = KubeObject> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly key: string;
  readonly object: Frozen<T>;
  readonly previous?: Frozen<T>;
  readonly revision: number;
}

/** `old` is undefined when added, `current` when deleted. */
export type EntryHandler<T extends KubeObject = KubeObject> = (old: Frozen<T> | undefined, current: Frozen<T> | undefined, revision: number) => void;

export interface Page<T extends KubeObject = KubeObject> {
  items: readonly Entry<T>[];
  /** The revision the page was read at. */
  revision: number;
  /** Entries after those returned; undefined where counting would cost. */
  remaining?: number;
  more: boolean;
}
