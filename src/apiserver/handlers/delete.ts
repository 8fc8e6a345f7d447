import type { DeleteOptions } from "../../apis/generated/meta/v1.ts";
import { negotiate, offerOf } from "../encoding/negotiation.ts";
import { replyObject, replyValue } from "../encoding/reply-encoded.ts";
import { requestContext } from "../exchange.ts";
import { keyOfPath, type ResourceHandler } from "./handler.ts";
import { deleteOptions } from "./options.ts";

export const deleteObject: ResourceHandler = async ({ registry }, exchange, card) => {
  const media = negotiate(exchange, offerOf(card));
  const options = await deleteOptions(exchange);
  const { object, status } = await registry.delete(requestContext(exchange), card, keyOfPath(exchange, card), options);
  if (object) await replyObject(exchange, media, deletionCode(options), card, object);
  else await replyValue(exchange, { ...media, as: undefined }, 200, { kind: "Status", apiVersion: "v1", metadata: {}, ...status });
};

/** 202 tells a client that asked for cascading that the object is still there. Source: k8s.io/apiserver handlers DeleteResource. */
const deletionCode = ({ orphanDependents }: DeleteOptions): number => (orphanDependents === false ? 202 : 200);
