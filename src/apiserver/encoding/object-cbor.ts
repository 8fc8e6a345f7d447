import { apiVersionOf } from "../../apimachinery/resource.ts";
import { containerHead, encodeCbor, selfDescribed } from "../../apimachinery/schema/cbor/encode.ts";
import { createByteCache } from "./byte-cache.ts";
import { objectValue, type AnyObject, type Kinded } from "./object-json.ts";

/** An object as one item with its kind and apiVersion, without the tag in front. */
const itemCbor = createByteCache((object, card: Kinded) => encodeCbor(objectValue(card, object as AnyObject)));

export const objectCbor = (card: Kinded, object: AnyObject): Buffer => Buffer.concat([selfDescribed, itemCbor(object, card)]);

export const valueCbor = (value: object): Buffer => Buffer.concat([selfDescribed, encodeCbor(value)]);

/** A list out of its items' shared bytes. */
export function listCbor(card: Kinded, items: readonly AnyObject[], metadata: object): Buffer {
  const head = ["kind", `${card.kind}List`, "apiVersion", apiVersionOf(card), "metadata", metadata, "items"].map(encodeCbor);
  return Buffer.concat([selfDescribed, containerHead(5, 4), ...head, containerHead(4, items.length), ...items.map((item) => itemCbor(item, card))]);
}

/** One event of a sequence: `document` keeps its own tag, which tells a reader what is inside. */
export const eventCbor = (type: string, document: Buffer): Buffer =>
  Buffer.concat([selfDescribed, containerHead(5, 2), ...["type", type, "object"].map(encodeCbor), document]);
