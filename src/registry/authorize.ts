import { forbidden } from "../apimachinery/status.ts";
import type { ObjectKey } from "../client/client.ts";
import type { Authorizer, UserInfo } from "./attributes.ts";

interface Of {
  group: string;
  version: string;
  resource: string;
}

/** Throws 403 unless the user may; the text is Kubernetes'. */
export function authorize(authorizer: Authorizer, user: UserInfo, verb: string, { group, version, resource }: Of, { namespace = "", name = "" }: Partial<ObjectKey> = {}, subresource = ""): void {
  const { allowed, reason } = authorizer.authorize({ user, verb, group, version, resource, subresource, namespace, name });
  if (allowed) return;
  const path = subresource ? `${resource}/${subresource}` : resource;
  const where = namespace ? `in the namespace ${JSON.stringify(namespace)}` : "at the cluster scope";
  const text = `User ${JSON.stringify(user.name)} cannot ${verb} resource ${JSON.stringify(path)} in API group ${JSON.stringify(group)} ${where}`;
  throw forbidden({ group, resource }, name, reason ? `${text}: ${reason}` : text);
}
