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
 * Guards the kubelet's own port as Kubernetes does: a caller may do what RBAC allows on the subresource of the node.
 * Source: https://kubernetes.io/docs/reference/access-authn-authz/kubelet-authn-authz/
 */
export function guardKubelet(handler: HttpHandler, { nodeName, authenticators, authorizer }: KubeletAccess): HttpHandler {
  return async (request, response) => {
    const refuse = (status: number, text: string): void => response.send(status, { "Content-Type": "text/plain; charset=utf-8" }, `${text}\n`);
    try {
      for (const { authenticate } of authenticators) {
        const user = await authenticate(request, request.url);
        if (!user) continue;
        const subresource = subresourceOf(request.url);
        const { allowed } = await authorizer.authorize({ user, verb: verbs[request.method] ?? "proxy", group: "", version: "v1", resource: "nodes", subresource, namespace: "", name: nodeName });
        if (!allowed) return refuse(403, `Forbidden (user=${user.name}, verb=${verbs[request.method] ?? "proxy"}, resource=nodes, subresource=${subresource})`);
        return await handler(request, response);
      }
      refuse(401, "Unauthorized");
    } catch (error) {
      if (!(error instanceof StatusError) || response.started) throw error;
      refuse(error.code, error.message);
    }
  };
}

function subresourceOf(url: string): string {
  const [first = ""] = url.slice(1).split(/[/?]/);
  if (first === "stats") return "stats";
  if (first === "metrics") return "metrics";
  if (first === "logs") return "log";
  return "proxy";
}
