import { apiVersionOf } from "../../apimachinery/resource.ts";
import { containerHead } from "../../apimachinery/schema/cbor/encode.ts";
import { changeOf } from "../../apimachinery/lean/change.ts";
import { encodeLean, encodeLeanEvent, leanOf, type LeanEvent } from "../../apimachinery/lean/lean.ts";
import { keyOf } from "../../apimachinery/meta.ts";
import { createByteCache } from "./byte-cache.ts";
import { objectValue, withoutKind, type AnyObject, type Kinded } from "./object-json.ts";

/** An object as items of lists are written, without kind and apiVersion. */
const itemLean = createByteCache((object, kind: string) => encodeLean(withoutKind(leanOf(object as AnyObject, kind))));

export const objectLean = (card: Kinded, object: AnyObject): Buffer => encodeLean(objectValue(card, leanOf(object, card.kind)));

export function listLean(card: Kinded, items: readonly AnyObject[], metadata: object): Buffer {
  const head = ["kind", `${card.kind}List`, "apiVersion", apiVersionOf(card), "metadata", metadata, "items"].map(encodeLean);
  return Buffer.concat([containerHead(5, 4), ...head, containerHead(4, items.length), ...items.map((item) => itemLean(item, card.kind))]);
}

const event = (type: string, object: object): Buffer => encodeLeanEvent({ type, object } as LeanEvent);

export function eventLean(type: string, card: Kinded, object: AnyObject): Buffer {
  if (type === "DELETED") return encodeLeanEvent({ type, key: keyOf(object), to: versionOf(object) });
  if (type === "BOOKMARK" && !object.metadata.annotations) return encodeLeanEvent({ type: "REACHED", to: versionOf(object) });
  return event(type, withoutKind(leanOf(object, card.kind)));
}

export const valueEventLean = (type: string, value: object): Buffer => event(type, value);

/** Since which version an object has looked to agents as it does, where that isn't its own. */
const unchangedSince = new WeakMap<object, number>();

const versionOf = (object: AnyObject): number => Number(object.metadata.resourceVersion);
const sinceOf = (object: AnyObject): number => unchangedSince.get(object) ?? versionOf(object);

/** What became of `previous`; no bytes when an agent would see nothing new. Made once for all watchers. */
export function changeLean(card: Kinded, object: AnyObject, previous: AnyObject): Buffer {
  const change = changeOf(withoutVersion(previous, card.kind), withoutVersion(object, card.kind));
  const from = sinceOf(previous);
  if (change !== undefined) return encodeLeanEvent({ type: "CHANGED", key: keyOf(object), from, to: versionOf(object), change });
  unchangedSince.set(object, from);
  return Buffer.alloc(0);
}

function withoutVersion(object: AnyObject, kind: string): object {
  const { metadata: { resourceVersion: _, ...metadata }, ...rest } = withoutKind(leanOf(object, kind)) as AnyObject;
  return { metadata, ...rest };
}
