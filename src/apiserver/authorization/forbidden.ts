import { forbidden, StatusError } from "../../apimachinery/status.ts";
import type { Decision, PathAttributes, ResourceAttributes } from "../../registry/attributes.ts";

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
