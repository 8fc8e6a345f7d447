import { apiVersionOf, type AnyResource } from "../../../apimachinery/resource.ts";
import { noSuchPath } from "../../../apimachinery/status.ts";
import { forbiddenBy } from "../../../registry/authorize.ts";
import { requestContext, type Exchange } from "../../exchange.ts";
import { isTrue } from "../../request-info.ts";
import { subresourceOf } from "../../subresources.ts";
import { keyOfPath, type HandlerDependencies, type ResourceHandler } from "../handler.ts";
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
  if (subresource !== "log") await admit(dependencies, exchange, card);
  await handler(dependencies, exchange, card);
};

/** What is asked of the kubelet or the target, as admission sees it: the query as an object of the subresource's own kind. */
async function admit({ registry }: HandlerDependencies, exchange: Exchange, card: AnyResource): Promise<void> {
  const { info, query } = exchange;
  const { kind, group, version } = subresourceOf(card, info.subresource)!.kind;
  const options: Record<string, unknown> = { kind, apiVersion: apiVersionOf({ group, version }) };
  for (const name of flags) if (query.has(name)) options[name] = isTrue(query.get(name));
  if (query.has("container")) options["container"] = query.get("container");
  if (query.has("command")) options["command"] = query.getAll("command");
  const ports = query.getAll("ports").flatMap((text) => text.split(",")).map(Number).filter(Number.isInteger);
  if (ports.length) options["ports"] = ports;
  if (info.subresource === "proxy") options["path"] = `/${info.parts.slice(3).join("/")}`;
  await registry.admitConnect(requestContext(exchange), card, keyOfPath(exchange, card), info.subresource, options);
}

const flags = ["stdin", "stdout", "stderr", "tty"];

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
