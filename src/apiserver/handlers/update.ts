import type { KubeObject } from "../../apimachinery/meta.ts";
import { readBody } from "../encoding/body.ts";
import { negotiate, offerOf } from "../encoding/negotiation.ts";
import { replyObject } from "../encoding/reply-encoded.ts";
import { requestContext } from "../exchange.ts";
import { keyOfPath, matchUrl, type ResourceHandler } from "./handler.ts";
import { writeOptions } from "./options.ts";

/** PUT of an object, or of one of its subresources that has the same kind, such as status. */
export const update: ResourceHandler = async ({ registry }, exchange, card) => {
  const media = negotiate(exchange, offerOf(card));
  const options = { ...writeOptions(exchange), subresource: exchange.info.subresource || undefined };
  const object = await readBody<KubeObject>(exchange, card);
  const key = keyOfPath(exchange, card);
  matchUrl(object, key);
  const { object: updated, created } = await registry.update(requestContext(exchange), card, key, object, options);
  await replyObject(exchange, media, created ? 201 : 200, card, updated);
};
