import { noSuchPath } from "../../../apimachinery/status.ts";
import { forbiddenBy } from "../../authorization/forbidden.ts";
import type { Exchange } from "../../exchange.ts";
import type { HandlerDependencies, ResourceHandler } from "../handler.ts";
import { attach, exec, portForward } from "./exec.ts";
import { log } from "./log.ts";
import { nodeProxy } from "./node-proxy.ts";
import { podProxy, serviceProxy } from "./proxy.ts";

/** Requests that are handed on with their connection, keyed by `resource/subresource`. */
const connections: Readonly<Record<string, ResourceHandler>> = {
  "pods/log": log,
  "pods/exec": exec, "pods/attach": attach, "pods/portforward": portForward,
  "nodes/proxy": nodeProxy, "pods/proxy": podProxy, "services/proxy": serviceProxy,
};

const interactive = new Set(["exec", "attach", "portforward"]);

export const connect: ResourceHandler = async (dependencies, exchange, card) => {
  const { subresource, parts } = exchange.info;
  const handler = connections[`${card.resource}/${subresource}`];
  if (!handler || (parts.length > 3 && subresource !== "proxy")) throw noSuchPath();
  if (interactive.has(subresource)) authorizeCreate(dependencies, exchange);
  await handler(dependencies, exchange, card);
};

/**
 * A WebSocket opens with GET, but running a command is no reading: `create` is needed however it is asked for.
 * As Kubernetes does since 1.35 (AuthorizePodWebsocketUpgradeCreatePermission).
 */
function authorizeCreate({ authorizer }: HandlerDependencies, { info, user }: Exchange): void {
  if (info.verb === "create") return;
  const attributes = { user, verb: "create", group: info.group, version: info.version, resource: info.resource, subresource: info.subresource, namespace: info.namespace, name: info.name };
  const decision = authorizer.authorize(attributes);
  if (!decision.allowed) throw forbiddenBy(attributes, decision);
}
