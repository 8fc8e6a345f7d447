import type { KubeObject } from "../../apimachinery/meta.ts";

/** A tree as JSON tells it. */
type Tree = Record<string, unknown>;

/** JSON remembered in a generation, in characters, and in how many pieces. Two generations bound it all; what comes again and again stays. */
const generationLength = 512 << 10, generationSize = 4096;
/** A longer subtree is looked at in its parts: what is that long is seldom alike as a whole. */
const longest = 8192;
/** Looking costs the length of what is there at each level, which must not grow with what somebody nests. */
const deepest = 12;
/** Fields (such as `metadata`) that were unlike anything known so many times in a row are looked at once in `retry`. */
const patience = 8, retry = 32;
/** Names of fields come from users too. */
const mostFields = 1024;

export interface Sharing {
  /**
   * Puts subtrees seen before in the place of equal ones of `object`, which nobody else holds yet and which was made of JSON. Its JSON stays
   * the same to the byte. Inside one object nothing is shared, so that its `structuredClone` is a tree too: each place can be changed alone.
   */
  share<T extends KubeObject>(object: T): T;
}

/**
 * One copy of what objects have in common: the labels, managed fields, containers and conditions of things made alike. A subtree is common
 * from the second time it is seen; before, only its JSON is remembered, so that objects are not kept alive. Common subtrees lie apart
 * from each other: none is in another.
 */
export function createSharing(): Sharing {
  let young = new Map<string, Tree | undefined>(), old = young, youngLength = 0;
  /** How many times in a row a field was unlike anything known. */
  const unlike = new Map<string, number>();

  function remember(text: string, tree: Tree | undefined): void {
    if (!young.has(text)) youngLength += text.length;
    young.set(text, tree);
    if (young.size < generationSize && youngLength < generationLength) return;
    old = young;
    young = new Map();
    youngLength = 0;
  }

  /** `used` are the common subtrees that the object has in other places. */
  function shareIn(parent: Tree, field: string, used: Set<Tree>, depth: number): void {
    const isList = Array.isArray(parent);
    for (const key in parent) {
      const own = parent[key];
      // An assignment to this name would not make a property.
      if (typeof own !== "object" || own === null || key === "__proto__") continue;
      // All items of a list are one field.
      const name = isList ? `${field}[]` : key;
      const common = commonOf(name, own as Tree, used);
      if (!common && depth < deepest) shareIn(own as Tree, name, used, depth + 1);
      else if (common && common !== own) parent[key] = common;
    }
  }

  /** What stands for `own`; nothing when it is to be looked at in its parts. */
  function commonOf(field: string, own: Tree, used: Set<Tree>): Tree | undefined {
    const misses = unlike.get(field) ?? 0;
    if (misses >= patience && misses % retry !== 0) {
      unlike.set(field, misses + 1);
      return undefined;
    }
    const text = JSON.stringify(own);
    const known = young.get(text) ?? old.get(text);
    const common = known ?? (young.has(text) || old.has(text) ? own : undefined);
    if (unlike.size >= mostFields) unlike.clear();
    unlike.set(field, common ? 0 : misses + 1);
    if (text.length > longest || (common && used.has(common))) return undefined;
    remember(text, common);
    if (common) used.add(common);
    return common;
  }

  return {
    share(object) {
      shareIn(object as unknown as Tree, "", new Set(), 0);
      return object;
    },
  };
}
