import type { KubeObject } from "../../apimachinery/meta.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import type { HttpHandler } from "../../base/http.ts";
import { badRequest, methodNotAllowed, noSuchPath } from "../../apimachinery/status.ts";
import type { ObjectKey } from "../../client/client.ts";
import type { Authorizer } from "../../registry/attributes.ts";
import type { Registry } from "../../registry/registry.ts";
import type { FrameCache } from "../encoding/watch-frames.ts";
import type { Exchange } from "../exchange.ts";

/** The way to a node's kubelet: serves the kubelet's own paths, whether in this process or through a tunnel. */
export interface NodeConnector {
  /** Undefined while the node is not connected. */
  connect(nodeName: string): HttpHandler | undefined;
  /** Serves `targetPath`s for what the node can reach and this server may have no route to; undefined where the server goes itself. */
  network?(nodeName: string): HttpHandler | undefined;
}

export interface HandlerDependencies {
  registry: Registry;
  authorizer: Authorizer;
  nodes: NodeConnector;
  frames: FrameCache;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Aborts when the server stops: watches then end properly, so that clients resume elsewhere. */
  stopping: AbortSignal;
}

/** One verb on one kind. The caller has authorized and found the card; the path fits the card's scope. */
export type ResourceHandler = (dependencies: HandlerDependencies, exchange: Exchange, card: AnyResource) => Promise<void>;

/** The key of a path that names an object. */
export function keyOfPath({ info }: Exchange, card: AnyResource): ObjectKey {
  return card.scope === "Namespaced" ? { namespace: info.namespace, name: info.name } : { name: info.name };
}

/** Refuses paths that no route of Kubernetes has: 404 for the wrong scope, 405 for a verb that this path or kind doesn't offer. */
export function checkPath({ info }: Exchange, card: AnyResource): void {
  const named = info.parts.length > 1;
  const inNamespace = info.namespace !== "" && info.parts[0] !== "namespaces";
  if (card.scope === "Cluster" ? inNamespace : named && !inNamespace && info.verb !== "watch") throw noSuchPath();
  if (info.subresource) return;
  const collectionVerb = info.verb === "create" || info.verb === "deletecollection";
  const offered = (card.verbs as readonly string[]).includes(info.verb);
  const fits = info.verb === "watch" || info.verb === "list" || collectionVerb !== named;
  const placed = !collectionVerb || card.scope === "Cluster" || inNamespace;
  if (!offered || !fits || !placed) throw methodNotAllowed();
}

/** An object's name and namespace are those of its URL, or filled in from there. */
export function matchUrl(object: KubeObject, { namespace, name }: { namespace?: string; name?: string }): void {
  object.metadata ??= {};
  if (object.metadata.namespace && object.metadata.namespace !== (namespace ?? "")) throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
  if (name === undefined) return;
  if (!object.metadata.name) throw badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`);
  if (object.metadata.name !== name) throw badRequest(`the name of the object (${object.metadata.name}) does not match the name on the URL (${name})`);
}
