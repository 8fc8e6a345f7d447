import { negotiate, offerOf } from "../encoding/negotiation.ts";
import { replyList } from "../encoding/reply-encoded.ts";
import type { ResourceHandler } from "./handler.ts";
import { watchOptions } from "./options.ts";

export const list: ResourceHandler = async ({ registry }, exchange, card) => {
  const media = negotiate(exchange, offerOf(card));
  // Those of a watch too: what they say must make sense, and some of it is refused.
  const found = await registry.list(card, watchOptions(exchange, card.scope === "Namespaced"));
  await replyList(exchange, media, card, found);
};
