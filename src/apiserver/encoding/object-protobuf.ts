import { apiVersionOf } from "../../apimachinery/resource.ts";
import { encodeMessage } from "../../apimachinery/schema/protobuf/encode.ts";
import { documentOf, encodeDocument, listDocumentOf } from "../../apimachinery/schema/protobuf/envelope.ts";
import { createByteCache } from "./byte-cache.ts";
import { encodeItems } from "./encode-items.ts";
import type { AnyObject, Kinded } from "./object-json.ts";

/** An object's message without its envelope, as lists have it. */
const itemMessage = createByteCache((object, schema: string) => encodeMessage(schema, object));

const typeMeta = (card: Kinded): { apiVersion: string; kind: string } => ({ apiVersion: apiVersionOf(card), kind: card.kind });

export const objectProtobuf = (card: Kinded, object: AnyObject): Buffer => documentOf(typeMeta(card), itemMessage(object, schemaOf(card)));

/** A typed list out of its items' shared bytes. */
export function listProtobuf(card: Kinded, items: readonly AnyObject[], metadata: object): Buffer | Promise<Buffer> {
  const schema = schemaOf(card);
  const listOf = (messages: readonly Buffer[]): Buffer => listDocumentOf({ ...typeMeta(card), kind: `${card.kind}List` }, metadata, messages);
  const encoded = encodeItems(items, (item) => itemMessage(item, schema));
  return encoded instanceof Promise ? encoded.then(listOf) : listOf(encoded);
}

/** A value that isn't shared, such as a Status. */
export const valueProtobuf = (kind: Kinded, value: object): Buffer => encodeDocument(typeMeta(kind), schemaOf(kind), value);

const schemaOf = ({ schema, kind }: Kinded): string => schema ?? `io.k8s.apimachinery.pkg.apis.meta.v1.${kind}`;
