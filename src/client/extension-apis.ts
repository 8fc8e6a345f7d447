import { StatusError } from "../apimachinery/status.ts";

/** A request to what an extension API server serves; `verb` is what authorization calls it. */
export interface ExtensionRequest {
  verb: "get" | "list" | "delete" | "deletecollection";
  group: string;
  version: string;
  namespace?: string;
  resource: string;
  name?: string;
  subresource?: string;
  query?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  body?: unknown;
}

/** A group in a version that an extension API server serves. */
export interface ExtensionGroup {
  group: string;
  version: string;
  /** False when its server doesn't answer, or hasn't been asked yet; what it serves is then not known, or was true once. */
  available: boolean;
  resources: readonly { resource: string; namespaced: boolean; verbs: readonly string[] }[];
}

/** The groups of the API that extension API servers serve (APIServices), in the name of one user. */
export interface ExtensionApis {
  /** A group's preferred version comes first. */
  served(): readonly ExtensionGroup[];
  /**
   * Resolves with the decoded answer. Throws a StatusError: 403 when the user may not ask, what the server answered, or else what client-go
   * makes of the code, such as "the server could not find the requested resource (get pods.metrics.k8s.io)" where nobody serves the group.
   */
  request(request: ExtensionRequest, signal?: AbortSignal): Promise<unknown>;
}

/** For servers without aggregation. */
export const noExtensionApis: ExtensionApis = { served: () => [], request: (request) => Promise.reject(unexpectedAnswer(404, request)) };

/** What client-go makes of an answer that is no Status. Source: k8s.io/apimachinery/pkg/api/errors NewGenericServerResponse. */
export function unexpectedAnswer(code: number, { verb, group, resource, name }: ExtensionRequest, text = ""): StatusError {
  const [reason, message] = known[code] ?? (code >= 500 ? ["InternalError", `an error on the server (${JSON.stringify(text)}) has prevented the request from succeeding`] : ["", `the server responded with the status code ${code} but did not return more information`]);
  const what = [verb.startsWith("delete") ? "delete" : "get", group ? `${resource}.${group}` : resource, ...(name ? [name] : [])].join(" ");
  return new StatusError({
    kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", reason, code, message: `${message || text} (${what})`,
    details: { ...(name ? { name } : {}), group, kind: resource, causes: [{ reason: "UnexpectedServerResponse", message: text }] },
  });
}

/** An empty message stands for the server's own words. */
const known: Readonly<Record<number, [reason: string, message: string]>> = {
  400: ["BadRequest", "the server rejected our request for an unknown reason"], 401: ["Unauthorized", "the server has asked for the client to provide credentials"],
  403: ["Forbidden", ""], 404: ["NotFound", "the server could not find the requested resource"], 405: ["MethodNotAllowed", "the server does not allow this method on the requested resource"],
  406: ["NotAcceptable", ""], 409: ["Conflict", "the server reported a conflict"], 422: ["Invalid", "the server rejected our request due to an error in our request"],
  429: ["TooManyRequests", "the server has received too many requests and has asked us to try again later"], 503: ["ServiceUnavailable", "the server is currently unable to handle the request"],
  504: ["Timeout", "the server was unable to return a response in the time allotted, but may still be processing the request"],
};
