import { forbidden, type StatusError } from "../apimachinery/status.ts";
import type { ObjectKey } from "../client/client.ts";
import type { Authorizer, Decision, PathAttributes, ResourceAttributes, UserInfo } from "./attributes.ts";

interface Of {
  group: string;
  version: string;
  resource: string;
}

/** Throws 403 unless the user may. */
export function authorize(authorizer: Authorizer, user: UserInfo, verb: string, { group, version, resource }: Of, { namespace = "", name = "" }: Partial<ObjectKey> = {}, subresource = ""): void {
  const attributes = { user, verb, group, version, resource, subresource, namespace, name };
  const decision = authorizer.authorize(attributes);
  if (!decision.allowed) throw forbiddenBy(attributes, decision);
}

/** `User "x" cannot list resource "pods" in API group "" in the namespace "default"`, then the reason if there is one. */
export function forbiddenBy({ user, verb, group, resource, subresource, namespace, name }: ResourceAttributes, { reason }: Decision): StatusError {
  const path = subresource ? `${resource}/${subresource}` : resource;
  const scope = namespace ? `in the namespace ${JSON.stringify(namespace)}` : "at the cluster scope";
  const detail = `User ${JSON.stringify(user.name)} cannot ${verb} resource ${JSON.stringify(path)} in API group ${JSON.stringify(group)} ${scope}`;
  return forbidden({ group, resource }, name, reason ? `${detail}: ${reason}` : detail);
}

export function forbiddenPath({ user, verb, path }: PathAttributes, { reason }: Decision): StatusError {
  const detail = `User ${JSON.stringify(user.name)} cannot ${verb} path ${JSON.stringify(path)}`;
  return forbidden({ group: "", resource: "" }, "", reason ? `${detail}: ${reason}` : detail);
}
