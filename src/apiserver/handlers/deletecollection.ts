import { negotiate, offerOf } from "../encoding/negotiation.ts";
import { replyList } from "../encoding/reply-encoded.ts";
import { requestContext } from "../exchange.ts";
import type { ResourceHandler } from "./handler.ts";
import { deleteOptions, listOptions } from "./options.ts";

export const deleteCollection: ResourceHandler = async ({ registry }, exchange, card) => {
  const media = negotiate(exchange, offerOf(card));
  const options = await deleteOptions(exchange);
  const deleted = await registry.deleteCollection(requestContext(exchange), card, listOptions(exchange, card.scope === "Namespaced"), options);
  await replyList(exchange, media, card, deleted);
};
