import type { Authorizer, Decision } from "../../registry/attributes.ts";
import { forbiddenBy, forbiddenPath } from "../../registry/authorize.ts";
import type { Exchange, Filter } from "../exchange.ts";

function note({ audit }: Exchange, { allowed, reason }: Decision): void {
  audit?.annotate("authorization.k8s.io/decision", allowed ? "allow" : "forbid");
  audit?.annotate("authorization.k8s.io/reason", reason);
}

export function withAuthorization({ authorizer }: { authorizer: Authorizer }): Filter {
  return (exchange, next) => {
    const { info, user } = exchange;
    if (!info.isResource) {
      const path = { user, verb: info.verb, path: info.path };
      const decision = authorizer.authorizePath(path);
      note(exchange, decision);
      if (!decision.allowed) throw forbiddenPath(path, decision);
      return next(exchange);
    }
    const { verb, group, version, resource, subresource, namespace, name } = info;
    const fieldSelector = exchange.query.get("fieldSelector") ?? undefined;
    const attributes = { user, verb, group, version, resource, subresource, namespace, name, fieldSelector };
    const decision = authorizer.authorize(attributes);
    note(exchange, decision);
    if (!decision.allowed) throw forbiddenBy(attributes, decision);
    return next(exchange);
  };
}
