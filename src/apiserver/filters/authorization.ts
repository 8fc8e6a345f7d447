import type { Authorizer } from "../../registry/attributes.ts";
import { forbiddenBy, forbiddenPath } from "../../registry/authorize.ts";
import type { Filter } from "../exchange.ts";

export function withAuthorization({ authorizer }: { authorizer: Authorizer }): Filter {
  return (exchange, next) => {
    const { info, user } = exchange;
    if (!info.isResource) {
      const path = { user, verb: info.verb, path: info.path };
      const decision = authorizer.authorizePath(path);
      if (!decision.allowed) throw forbiddenPath(path, decision);
      return next(exchange);
    }
    const { verb, group, version, resource, subresource, namespace, name } = info;
    const fieldSelector = exchange.query.get("fieldSelector") ?? undefined;
    const attributes = { user, verb, group, version, resource, subresource, namespace, name, fieldSelector };
    const decision = authorizer.authorize(attributes);
    if (!decision.allowed) throw forbiddenBy(attributes, decision);
    return next(exchange);
  };
}
