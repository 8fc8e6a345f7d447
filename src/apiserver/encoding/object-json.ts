import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import { apiVersionOf } from "../../apimachinery/resource.ts";
import { createByteCache } from "./byte-cache.ts";
import { encodeItems } from "./encode-items.ts";

export type AnyObject = Frozen<KubeObject>;

/** What encoding needs of a card, or of a kind that has none. */
export interface Kinded {
  group: string;
  version: string;
  kind: string;
  /** The type in the schema table; for kinds of the meta group it may be left out. */
  schema?: string;
  /** Of lists, where it isn't the kind and `List`. */
  listKind?: string;
  /** Of custom resources: items of their lists say what they are, as their clients don't know. */
  objectSchema?: unknown;
}

/** An object's JSON without `kind` and `apiVersion`, as items of typed lists are written. Made once per object and shared by all readers. */
const itemJson = createByteCache((object) => {
  const { kind: _kind, apiVersion: _apiVersion, ...rest } = object as AnyObject;
  return Buffer.from(JSON.stringify(rest));
});

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

const comma = Buffer.from(","), lineEnd = Buffer.from("\n"), listEnd = Buffer.from("]}\n");

export const objectJson = (card: Kinded, object: AnyObject): Buffer => Buffer.concat([...objectJsonParts(card, object), lineEnd]);

const listKindOf = ({ kind, listKind = `${kind}List` }: Kinded): string => listKind;

/** A typed list's JSON out of its items' shared bytes. */
export function listJson(card: Kinded, items: readonly AnyObject[], metadata: object): Buffer | Promise<Buffer> {
  const encoded = encodeItems(items, itemJson);
  return encoded instanceof Promise ? encoded.then((each) => listOf(card, each, metadata)) : listOf(card, encoded, metadata);
}

function listOf(card: Kinded, items: readonly Buffer[], metadata: object): Buffer {
  const parts: Buffer[] = [Buffer.from(`{"kind":${JSON.stringify(listKindOf(card))},"apiVersion":${JSON.stringify(apiVersionOf(card))},"metadata":${JSON.stringify(metadata)},"items":[`)];
  for (let i = 0; i < items.length; i++) {
    if (i > 0) parts.push(comma);
    if (card.objectSchema) parts.push(head(card), items[i]!.subarray(1));
    else parts.push(items[i]!);
  }
  parts.push(listEnd);
  return Buffer.concat(parts);
}

/** The same list as a value, for encodings that don't share bytes. */
export const listValue = (card: Kinded, items: readonly AnyObject[], metadata: object): object => ({
  kind: listKindOf(card), apiVersion: apiVersionOf(card), metadata, items: items.map((item) => (card.objectSchema ? objectValue(card, item) : withoutKind(item))),
});

export function withoutKind(object: AnyObject): object {
  const { kind: _kind, apiVersion: _apiVersion, ...rest } = object;
  return rest;
}

export const objectValue = (card: Kinded, object: AnyObject): object => {
  const { kind: _kind, apiVersion: _apiVersion, ...rest } = object;
  return { kind: card.kind, apiVersion: apiVersionOf(card), ...rest };
};
