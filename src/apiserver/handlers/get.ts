import { negotiate, offerOf } from "../encoding/negotiation.ts";
import { replyObject } from "../encoding/reply-encoded.ts";
import { keyOfPath, type ResourceHandler } from "./handler.ts";

export const get: ResourceHandler = async ({ registry }, exchange, card) => {
  const media = negotiate(exchange, offerOf(card));
  const resourceVersion = exchange.query.get("resourceVersion") ?? undefined;
  const object = await registry.get(card, keyOfPath(exchange, card), { resourceVersion });
  await replyObject(exchange, media, 200, card, object);
};
