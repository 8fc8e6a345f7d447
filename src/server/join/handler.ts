import { internalError, methodNotAllowed, noSuchPath, StatusError } from "../../apimachinery/status.ts";
import type { HttpHandler, HttpRequest, HttpResponse } from "../../base/http.ts";
import { caPath, clusterPath, enrolPath } from "../../base/join/enrolment.ts";
import { logger } from "../../base/log.ts";
import { enrol, type EnrolDependencies, tellCluster } from "./enrol.ts";
import { refusalLog } from "./refusals.ts";

export interface JoinRoutes extends EnrolDependencies {
  /** Further paths below `/v1-skiff/`, which check by themselves who asks. */
  routes?: Readonly<Record<string, HttpHandler>>;
}

const log = logger("join");

/**
 * What a machine needs before it is somebody: the CA, certificates, the executable. In front of the API server's handler, since nobody
 * who joins can be authenticated there yet; all other paths go on to `api`.
 */
export function withJoin(api: HttpHandler, dependencies: JoinRoutes): HttpHandler {
  const remembering = { ...dependencies, refusals: refusalLog(log) };
  return (request, response) => {
    const [path = ""] = request.url.split("?", 1);
    if (path !== caPath && !path.startsWith("/v1-skiff/")) return api(request, response);
    return answer(remembering, path, request, response);
  };
}

async function answer(dependencies: JoinRoutes & Parameters<typeof enrol>[0], path: string, request: HttpRequest, response: HttpResponse): Promise<void> {
  try {
    const more = dependencies.routes?.[path];
    if (more) return await more(request, response);
    if (path === caPath) {
      needs(request, "GET", "HEAD");
      return response.send(200, { "Content-Type": "application/x-pem-file" }, request.method === "HEAD" ? "" : dependencies.serverCa.certificate);
    }
    const answers = { [enrolPath]: enrol, [clusterPath]: tellCluster }[path];
    if (!answers) throw noSuchPath();
    needs(request, "POST");
    response.send(200, { "Content-Type": "application/json" }, JSON.stringify(await answers(dependencies, request)));
  } catch (error) {
    if (request.signal.aborted || response.started) return;
    const { status } = error instanceof StatusError ? error : internalError(error);
    if (status.code >= 500) log.error("An enrolment failed", { error });
    response.send(status.code, { "Content-Type": "application/json" }, JSON.stringify(status));
  }
}

function needs({ method }: HttpRequest, ...allowed: readonly string[]): void {
  if (!allowed.includes(method)) throw methodNotAllowed();
}
