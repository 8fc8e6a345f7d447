import type { KubeObject } from "../../apimachinery/meta.ts";
import { methodNotAllowed, noSuchPath } from "../../apimachinery/status.ts";
import { readBody } from "../encoding/body.ts";
import { negotiate } from "../encoding/negotiation.ts";
import { replyKind } from "../encoding/reply-encoded.ts";
import { requestContext } from "../exchange.ts";
import { subresourceOf, type Subresource } from "../subresources.ts";
import { connect } from "./connect/connect.ts";
import { get } from "./get.ts";
import { keyOfPath, matchUrl, type ResourceHandler } from "./handler.ts";
import { writeOptions } from "./options.ts";
import { patch, readPatch } from "./patch.ts";
import { update } from "./update.ts";

/** What is below an object's name: views of the object, other kinds read, written or posted, and connections. */
export const subresource: ResourceHandler = async (dependencies, exchange, card) => {
  const { info } = exchange;
  const found = subresourceOf(card, info.subresource);
  if (!found || (found.style !== "connect" && info.parts.length > 3)) throw noSuchPath();
  if (!found.verbs.includes(info.verb) && !(info.verb === "" && found.name === "proxy")) {
    throw methodNotAllowed();
  }
  const handler = found.style === "connect" ? connect : found.style === "view" ? views[info.verb]! : otherKind(found);
  await handler(dependencies, exchange, card);
};

const views: Readonly<Record<string, ResourceHandler>> = { get, update, patch };

function otherKind({ name, kind, style, columns }: Subresource): ResourceHandler {
  const printed = { ...kind, columns };
  return async ({ registry }, exchange, card) => {
    const media = negotiate(exchange, columns ? { metadata: true, table: true } : {});
    const key = keyOfPath(exchange, card);
    const context = requestContext(exchange);
    if (exchange.info.verb === "get") return replyKind(exchange, media, 200, printed, await registry.getSubresource(context, card, key, name) as object);
    if (exchange.info.verb === "patch") {
      const { patch: body, options } = await readPatch(exchange, card);
      return replyKind(exchange, media, 200, printed, await registry.patchSubresource(context, card, key, name, body, options) as object);
    }
    const options = writeOptions(exchange);
    const body = await readBody<KubeObject>(exchange, kind);
    if (style === "projection") {
      matchUrl(body, key);
      return replyKind(exchange, media, 200, printed, await registry.updateSubresource(context, card, key, name, body, options) as object);
    }
    matchUrl(body, { namespace: key.namespace });
    const result = await registry.createSubresource(context, card, key, name, body, options) as { kind?: string };
    return replyKind(exchange, media, 201, result.kind === "Status" ? { group: "", version: "v1", kind: "Status" } : kind, result);
  };
}
