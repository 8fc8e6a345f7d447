import { badRequest } from "../../apimachinery/status.ts";
import type { Authorizer, ResourceAttributes, UserInfo } from "../../registry/attributes.ts";
import { allAuthenticated, allUnauthenticated, withGroup } from "../authentication/authenticator.ts";
import { serviceAccountUser } from "../authentication/service-account.ts";
import { forbiddenBy } from "../../registry/authorize.ts";
import type { Filter } from "../exchange.ts";

/** `kubectl --as`: acts as another user, if the real one may `impersonate` its name and each group, uid and extra. */
export function withImpersonation({ authorizer }: { authorizer: Authorizer }): Filter {
  return (exchange, next) => {
    const wanted = readHeaders(exchange.request.headers);
    if (!wanted) return next(exchange);
    for (const check of checks(wanted)) {
      const attributes: ResourceAttributes = { user: exchange.user, verb: "impersonate", group: "", version: "v1", resource: "", subresource: "", namespace: "", name: "", ...check };
      const decision = authorizer.authorize(attributes);
      if (!decision.allowed) throw forbiddenBy(attributes, decision);
    }
    exchange.user = impersonated(wanted);
    exchange.audit?.impersonated(exchange.user);
    return next(exchange);
  };
}

interface Wanted {
  name: string;
  groups: string[];
  uid?: string;
  extra: Record<string, string[]>;
}

const extraPrefix = "impersonate-extra-";

function readHeaders(headers: Readonly<Record<string, string>>): Wanted | undefined {
  const name = headers["impersonate-user"] ?? "";
  const groups = splitValues(headers["impersonate-group"]);
  const uid = headers["impersonate-uid"] || undefined;
  const extra: Record<string, string[]> = {};
  for (const header of Object.keys(headers)) if (header.startsWith(extraPrefix)) extra[unescapeKey(header.slice(extraPrefix.length))] = splitValues(headers[header]);
  if (name !== "") return { name, groups, uid, extra };
  if (groups.length || uid || Object.keys(extra).length) throw badRequest(`requested ${describe({ name, groups, uid, extra })} without impersonating a user name`);
  return undefined;
}

/** As Go prints it, which is what Kubernetes says. */
function describe({ groups, uid, extra }: Wanted): string {
  const list = (values: readonly string[]): string => `[]string{${values.map((value) => JSON.stringify(value)).join(", ")}}`;
  const entries = Object.entries(extra).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, values]) => `${JSON.stringify(key)}:${list(values)}`);
  return `&user.DefaultInfo{Name:"", UID:${JSON.stringify(uid ?? "")}, Groups:${groups.length ? list(groups) : "[]string(nil)"}, Extra:map[string][]string${entries.length ? `{${entries.join(", ")}}` : "(nil)"}}`;
}

/** The front joins repeated fields with a comma. */
const splitValues = (joined: string | undefined): string[] => joined?.split(",").map((value) => value.trim()).filter((value) => value !== "") ?? [];

function unescapeKey(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}

function checks({ name, groups, uid, extra }: Wanted): Partial<ResourceAttributes>[] {
  const account = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(name);
  const authentication = "authentication.k8s.io";
  return [
    account ? { resource: "serviceaccounts", namespace: account[1]!, name: account[2]! } : { resource: "users", name },
    ...groups.map((group) => ({ resource: "groups", name: group })),
    ...(uid ? [{ group: authentication, resource: "uids", name: uid }] : []),
    ...Object.entries(extra).flatMap(([key, values]) => values.map((value) => ({ group: authentication, resource: "userextras", subresource: key, name: value }))),
  ];
}

function impersonated({ name, groups, uid, extra }: Wanted): UserInfo {
  const account = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(name);
  const implied = account && groups.length === 0 ? serviceAccountUser(account[1]!, account[2]!).groups : groups;
  const user: UserInfo = { name, groups: implied, ...(uid ? { uid } : {}), ...(Object.keys(extra).length ? { extra } : {}) };
  if (groups.includes(allUnauthenticated)) return user;
  return withGroup(user, name === "system:anonymous" ? allUnauthenticated : allAuthenticated);
}
