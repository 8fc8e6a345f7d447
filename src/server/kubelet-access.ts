import { StatusError } from "../apimachinery/status.ts";
import type { Authenticator } from "../apiserver/authentication/authenticator.ts";
import type { HttpHandler } from "../base/http.ts";
import type { Decision, ResourceAttributes } from "../registry/attributes.ts";

const verbs: Record<string, string> = { GET: "get", HEAD: "get", POST: "create", PUT: "update", PATCH: "patch", DELETE: "delete" };

export interface KubeletAccess {
  nodeName: string;
  authenticators: readonly Authenticator[];
  /** The API server's own, or one that asks it. */
  authorizer: { authorize(attributes: ResourceAttributes): Decision | Promise<Decision> };
}

/**
 * Guards the kubelet's own port as Kubernetes does: a caller may do what RBAC allows on one of the subresources of the node that stand for the path.
 * Source: https://kubernetes.io/docs/reference/access-authn-authz/kubelet-authn-authz/
 */
export function guardKubelet(handler: HttpHandler, { nodeName, authenticators, authorizer }: KubeletAccess): HttpHandler {
  const mayUse = async (attributes: ResourceAttributes, subresources: readonly string[]): Promise<boolean> => {
    for (const subresource of subresources) if ((await authorizer.authorize({ ...attributes, subresource })).allowed) return true;
    return false;
  };
  return async (request, response) => {
    const refuse = (status: number, text: string): void => response.send(status, { "Content-Type": "text/plain; charset=utf-8" }, `${text}\n`);
    // Rights go by the path as it is written, the kubelet by what it comes to: the two must be one.
    if (!isPlain(request.url)) return refuse(400, "the path must be written plainly, without dots, doubled slashes or encoded letters at its beginning");
    try {
      for (const { authenticate } of authenticators) {
        const user = await authenticate(request, request.url);
        if (!user) continue;
        const verb = verbs[request.method] ?? "proxy", subresources = subresourcesOf(request.url);
        const attributes = { user, verb, group: "", version: "v1", resource: "nodes", subresource: "", namespace: "", name: nodeName };
        if (!await mayUse(attributes, subresources)) return refuse(403, `Forbidden (user=${user.name}, verb=${verb}, resource=nodes, subresource(s)=[${subresources.join(" ")}])`);
        return await handler(request, response);
      }
      refuse(401, "Unauthorized");
    } catch (error) {
      if (!(error instanceof StatusError) || response.started) throw error;
      refuse(error.code, error.message);
    }
  };
}

const fineGrained = new Map([["pods", "pods"], ["runningpods", "pods"], ["healthz", "healthz"], ["configz", "configz"]]);
const ownSubresource = new Map([["stats", "stats"], ["metrics", "metrics"], ["logs", "log"], ["checkpoint", "checkpoint"], ["statusz", "statusz"], ["flagz", "configz"]]);

function isPlain(url: string): boolean {
  const path = url.split(/[?#]/)[0]!, parsed = URL.parse(url, "http://kubelet");
  return parsed?.pathname === path && !path.split("/")[1]!.includes("%");
}

/** The narrow right first, then `proxy`, which allows everything that has no right of its own. */
function subresourcesOf(url: string): string[] {
  const [first = ""] = url.slice(1).split(/[/?]/);
  const own = ownSubresource.get(first), narrow = fineGrained.get(first);
  if (own) return [own];
  return narrow ? [narrow, "proxy"] : ["proxy"];
}
