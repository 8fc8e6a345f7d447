import { badRequest } from "../../apimachinery/status.ts";
import { negotiate, offerOf } from "../encoding/negotiation.ts";
import { replyObject } from "../encoding/reply-encoded.ts";
import { isTrue } from "../request-info.ts";
import { keyOfPath, type ResourceHandler } from "./handler.ts";

export const get: ResourceHandler = async ({ registry }, exchange, card) => {
  const media = negotiate(exchange, offerOf(card));
  if (isTrue(exchange.query.get("export"))) throw badRequest("the export parameter, deprecated since v1.14, is no longer supported");
  const resourceVersion = exchange.query.get("resourceVersion") ?? undefined;
  const object = await registry.get(card, keyOfPath(exchange, card), { resourceVersion });
  await replyObject(exchange, media, 200, card, object);
};
