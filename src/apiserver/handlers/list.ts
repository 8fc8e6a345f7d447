import { negotiate, offerOf } from "../encoding/negotiation.ts";
import { replyList } from "../encoding/reply-encoded.ts";
import type { ResourceHandler } from "./handler.ts";
import { listOptions } from "./options.ts";

export const list: ResourceHandler = async ({ registry }, exchange, card) => {
  const media = negotiate(exchange, offerOf(card));
  const found = await registry.list(card, listOptions(exchange, card.scope === "Namespaced"));
  await replyList(exchange, media, card, found);
};
