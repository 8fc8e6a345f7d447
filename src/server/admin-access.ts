import { insufficientStorage, internalError, StatusError, unauthorized } from "../apimachinery/status.ts";
import type { Authenticator } from "../apiserver/authentication/authenticator.ts";
import type { HttpHandler } from "../base/http.ts";
import { logger } from "../base/log.ts";
import type { Authorizer } from "../registry/attributes.ts";
import { forbiddenPath } from "../registry/authorize.ts";
import { translate } from "../registry/store.ts";

const log = logger("admin");

/**
 * Guards a path of the server's own below `/v1-skiff/`: who asks is known as to the API, and allowed what RBAC says of the path and the
 * method (`nonResourceURLs`); `cluster-admin` may all. Errors are answered as a Status.
 */
export function guardAdmin(handler: HttpHandler, { authenticators, authorizer }: { authenticators: readonly Authenticator[]; authorizer: Authorizer }): HttpHandler {
  return async (request, response) => {
    try {
      const [path = ""] = request.url.split("?", 1);
      for (const { authenticate } of authenticators) {
        const user = await authenticate(request, request.url);
        if (!user) continue;
        const attributes = { user, verb: request.method.toLowerCase(), path };
        const decision = authorizer.authorizePath(attributes);
        if (!decision.allowed) throw forbiddenPath(attributes, decision);
        return await handler(request, response);
      }
      throw unauthorized();
    } catch (error) {
      if (request.signal.aborted || response.started) return;
      const { status } = toStatusError(error);
      if (status.code >= 500) log.error("An administrator's request failed", { path: request.url, error });
      response.send(status.code, { "Content-Type": "application/json" }, JSON.stringify(status));
    }
  };
}

function toStatusError(error: unknown): StatusError {
  const status = translate(error, { group: "", resource: "" }, "");
  if (status instanceof StatusError) return status;
  if ((error as NodeJS.ErrnoException).code === "ENOSPC") return insufficientStorage("the disk of its data directory is full: free some space, and ask again; nothing has been changed");
  return internalError(error);
}
