import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import { apiVersionOf } from "../../apimachinery/resource.ts";

export type AnyObject = Frozen<KubeObject>;

/** What encoding needs of a card. */
export interface Kinded {
  group: string;
  version: string;
  kind: string;
}

/** Bytes kept per generation. Two generations bound what a machine with little memory spends on this. */
const generationBytes = 4 << 20;
let young = new WeakMap<object, Buffer>(), old = young, youngBytes = 0;

function remember(object: object, bytes: Buffer): void {
  if (youngBytes > generationBytes) {
    old = young;
    young = new WeakMap();
    youngBytes = 0;
  }
  young.set(object, bytes);
  youngBytes += bytes.length;
}

/**
 * An object's JSON without `kind` and `apiVersion`, as items of typed lists are written. Made once per object and shared by all readers;
 * the cache holds one object per revision, so its identity is the key.
 */
export function itemJson(object: AnyObject): Buffer {
  const known = young.get(object);
  if (known) return known;
  const bytes = old.get(object) ?? encodeItem(object);
  remember(object, bytes);
  return bytes;
}

function encodeItem({ kind: _kind, apiVersion: _apiVersion, ...rest }: AnyObject): Buffer {
  return Buffer.from(JSON.stringify(rest));
}

const heads = new Map<string, Buffer>();

/** `{"kind":"Pod","apiVersion":"v1",`, to stand before an item's JSON without its brace. */
function head({ group, version, kind }: Kinded): Buffer {
  const key = `${group}/${version}/${kind}`;
  let bytes = heads.get(key);
  if (!bytes) heads.set(key, bytes = Buffer.from(`{"kind":${JSON.stringify(kind)},"apiVersion":${JSON.stringify(apiVersionOf({ group, version }))},`));
  return bytes;
}

/** The pieces of an object's JSON with kind and apiVersion; concatenate them. */
export const objectJsonParts = (card: Kinded, object: AnyObject): [Buffer, Buffer] => [head(card), itemJson(object).subarray(1)];

export const objectJson = (card: Kinded, object: AnyObject): Buffer => Buffer.concat(objectJsonParts(card, object));

const comma = Buffer.from(","), listEnd = Buffer.from("]}");

/** A typed list's JSON out of its items' shared bytes. */
export function listJson(card: Kinded, items: readonly AnyObject[], metadata: object): Buffer {
  const parts: Buffer[] = [Buffer.from(`{"kind":${JSON.stringify(`${card.kind}List`)},"apiVersion":${JSON.stringify(apiVersionOf(card))},"metadata":${JSON.stringify(metadata)},"items":[`)];
  for (let i = 0; i < items.length; i++) {
    if (i > 0) parts.push(comma);
    parts.push(itemJson(items[i]!));
  }
  parts.push(listEnd);
  return Buffer.concat(parts);
}

/** The same list as a value, for encodings that don't share bytes. */
export const listValue = (card: Kinded, items: readonly AnyObject[], metadata: object): object => ({
  kind: `${card.kind}List`, apiVersion: apiVersionOf(card), metadata, items: items.map(({ kind: _kind, apiVersion: _apiVersion, ...rest }) => rest),
});

export const objectValue = (card: Kinded, object: AnyObject): object => {
  const { kind: _kind, apiVersion: _apiVersion, ...rest } = object;
  return { kind: card.kind, apiVersion: apiVersionOf(card), ...rest };
};
