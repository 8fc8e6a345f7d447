import { badRequest } from "../../apimachinery/status.ts";
import type { HttpRequest } from "../../base/http.ts";
import type { Authorizer } from "../../registry/attributes.ts";
import { fieldValues, unescapeKey } from "../authentication/field-values.ts";
import type { Filter } from "../exchange.ts";
import { impersonate, type Wanted } from "./impersonation-modes.ts";

/** `kubectl --as`: acts as another user, where the real one may. Source: k8s.io/apiserver/pkg/endpoints/filters/impersonation. */
export function withImpersonation({ authorizer }: { authorizer: Authorizer }): Filter {
  return (exchange, next) => {
    const wanted = readHeaders(exchange.request);
    if (!wanted) return next(exchange);
    const { user, constraint } = impersonate(authorizer, wanted, exchange.user, exchange.info);
    exchange.user = user;
    exchange.audit?.impersonated(user, constraint);
    return next(exchange);
  };
}

const extraPrefix = "impersonate-extra-";

const asks = (headers: HttpRequest["headers"]): boolean => {
  for (const field in headers) if (field.startsWith("impersonate-")) return true;
  return false;
};

function readHeaders(request: HttpRequest): Wanted | undefined {
  if (!asks(request.headers)) return undefined;
  const [name = ""] = fieldValues(request, "impersonate-user"), [uid] = fieldValues(request, "impersonate-uid");
  const groups = fieldValues(request, "impersonate-group");
  const extra: Record<string, readonly string[]> = {};
  for (const field of Object.keys(request.headers)) if (field.startsWith(extraPrefix)) extra[unescapeKey(field.slice(extraPrefix.length))] = fieldValues(request, field);
  const wanted = { name, groups, ...(uid ? { uid } : {}), extra };
  if (name !== "") return wanted;
  if (groups.length || uid || Object.keys(extra).length) throw badRequest(`requested ${describe(wanted)} without impersonating a user name`);
  return undefined;
}

/** As Go prints it, which is what Kubernetes says. */
function describe({ groups, uid, extra }: Wanted): string {
  const list = (values: readonly string[]): string => `[]string{${values.map((value) => JSON.stringify(value)).join(", ")}}`;
  const entries = Object.entries(extra).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, values]) => `${JSON.stringify(key)}:${list(values)}`);
  return `&user.DefaultInfo{Name:"", UID:${JSON.stringify(uid ?? "")}, Groups:${groups.length ? list(groups) : "[]string(nil)"}, Extra:map[string][]string${entries.length ? `{${entries.join(", ")}}` : "(nil)"}}`;
}
