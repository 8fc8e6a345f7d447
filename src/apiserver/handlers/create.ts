import type { KubeObject } from "../../apimachinery/meta.ts";
import { readBody } from "../encoding/body.ts";
import { negotiate, offerOf } from "../encoding/negotiation.ts";
import { replyObject, replyValue } from "../encoding/reply-encoded.ts";
import { requestContext } from "../exchange.ts";
import { matchUrl, type ResourceHandler } from "./handler.ts";
import { writeOptions } from "./options.ts";

export const create: ResourceHandler = async ({ registry }, exchange, card) => {
  const media = negotiate(exchange, offerOf(card));
  const options = writeOptions(exchange);
  const object = await readBody<KubeObject>(exchange, card);
  const namespace = card.scope === "Namespaced" ? exchange.info.namespace : undefined;
  matchUrl(object, { namespace });
  const created = await registry.create(requestContext(exchange), card, namespace, object, options);
  // A binding is answered with a Status.
  if (created.kind === card.kind) await replyObject(exchange, media, 201, card, created);
  else await replyValue(exchange, media, 201, created);
};
