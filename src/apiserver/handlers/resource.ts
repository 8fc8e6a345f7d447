import type { AnyResource } from "../../apimachinery/resource.ts";
import { methodNotAllowed, noSuchPath } from "../../apimachinery/status.ts";
import { replyPageNotFound, type ExchangeHandler } from "../exchange.ts";
import { create } from "./create.ts";
import { deleteObject } from "./delete.ts";
import { deleteCollection } from "./deletecollection.ts";
import { get } from "./get.ts";
import { checkPath, type HandlerDependencies, type ResourceHandler } from "./handler.ts";
import { list } from "./list.ts";
import { patch } from "./patch.ts";
import { subresource } from "./subresource.ts";
import { update } from "./update.ts";
import { watch } from "./watch.ts";

const verbs: Readonly<Record<string, ResourceHandler>> = { get, list, watch, create, update, patch, delete: deleteObject, deletecollection: deleteCollection };

/** All requests under `/api/VERSION` and `/apis/GROUP/VERSION`: the card comes from the table, the handler from the verb. */
export function resourceHandler(dependencies: HandlerDependencies): ExchangeHandler {
  const { registry } = dependencies;
  return (exchange) => {
    const { info } = exchange;
    const card: AnyResource | undefined = registry.find(info.group, info.version, info.resource);
    if ((info.apiPrefix === "api") !== (info.group === "")) throw noSuchPath();
    if (!card) {
      // Groups of custom resources come and go: outside of what is theirs nobody answers.
      if (info.group === "" || registry.cards.some(({ group, objectSchema }) => group === info.group && !objectSchema)) throw noSuchPath();
      return replyPageNotFound(exchange);
    }
    checkPath(exchange, card);
    if (card.deprecation) exchange.warnings.push(card.deprecation);
    const handler = info.parts.length > 2 ? subresource : verbs[info.verb];
    if (!handler) throw methodNotAllowed();
    return handler(dependencies, exchange, card);
  };
}
