import type { IncomingMessage } from "node:http";
import { isObject } from "../../apimachinery/own.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { StatusError } from "../../apimachinery/status.ts";
import { unexpectedAnswer, type ExtensionApis, type ExtensionRequest } from "../../client/extension-apis.ts";
import type { Authorizer, UserInfo } from "../../registry/attributes.ts";
import { authorize } from "../../registry/authorize.ts";
import type { RemoteGroup } from "../discovery/groups.ts";
import { apiServiceName, isAvailable, type ApiService } from "./api-service.ts";
import type { RemoteServers } from "./remote-server.ts";
import { remoteUserHeaders } from "./remote-user.ts";
import { textOf } from "./text-of.ts";

/** An answer that is longer is given up, as is one that takes longer. */
const mostBytes = 32 << 20, mostMs = 30_000;

export interface ExtensionApisDependencies {
  servers: RemoteServers;
  /** The APIService of this name, if an extension API server stands behind it. */
  service(name: string): Frozen<ApiService> | undefined;
  groups(): readonly RemoteGroup[];
  /** Whether the server behind this APIService has told what it serves. */
  isKnown(name: string): boolean;
  /** What this server itself serves of such groups; undefined when it doesn't. */
  own(request: ExtensionRequest): Promise<unknown> | undefined;
  authorizer: Authorizer;
  user: UserInfo;
}

const methods = { get: "GET", list: "GET", delete: "DELETE", deletecollection: "DELETE" } as const;

/** Extension API servers for components of this process: the user is authorized here, and told to the server, as for requests that are handed on. */
export function extensionApis({ servers, service: find, groups, isKnown, own, authorizer, user }: ExtensionApisDependencies): ExtensionApis {
  return {
    served: () => groups().flatMap(({ name: group, versions }) => versions.map(({ version, remote: { resources, freshness } }) => ({
      group, version, available: freshness === "Current" && isKnown(apiServiceName(group, version)),
      resources: resources.map(({ resource, scope, verbs }) => ({ resource, namespaced: scope === "Namespaced", verbs })),
    }))),
    async request(request, signal) {
      const { verb, group, version, namespace, name, subresource = "", body } = request;
      authorize(authorizer, user, verb, request, { namespace, name }, subresource);
      const service = find(apiServiceName(group, version));
      if (!service) {
        const answer = own(request);
        if (!answer) throw unexpectedAnswer(404, request, "404 page not found");
        return answer;
      }
      if (!isAvailable(service)) throw unexpectedAnswer(503, request, "service unavailable");
      const late = AbortSignal.timeout(mostMs);
      const sent = body === undefined ? {} : { body: Buffer.from(JSON.stringify(body)) };
      const headers = { accept: "application/json", ...(body === undefined ? {} : { "content-type": "application/json" }), ...remoteUserHeaders(user) };
      let answer: IncomingMessage, text: string;
      try {
        answer = await servers.request(service, { method: methods[verb], path: pathOf(request), headers, ...sent, signal: signal ? AbortSignal.any([signal, late]) : late });
        text = await textOf(answer, mostBytes);
      } catch (error) {
        if (signal?.aborted) throw error;
        throw unexpectedAnswer(503, request, `error trying to reach service: ${(error as Error).message}`);
      }
      return decoded(request, answer.statusCode ?? 502, text);
    },
  };
}

function pathOf({ group, version, namespace, resource, name, subresource, query = {} }: ExtensionRequest): string {
  const segments = ["apis", group, version, ...(namespace ? ["namespaces", namespace] : []), resource, ...(name ? [name] : []), ...(subresource ? [subresource] : [])];
  const search = new URLSearchParams(query).toString();
  return `/${segments.map(encodeURIComponent).join("/")}${search ? `?${search}` : ""}`;
}

function decoded(request: ExtensionRequest, code: number, text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw unexpectedAnswer(code < 300 ? 500 : code, request, text.slice(0, 2048));
  }
  if (code >= 200 && code < 300) return value;
  if (!isObject(value) || value["kind"] !== "Status" || typeof value["message"] !== "string") throw unexpectedAnswer(code, request, text.slice(0, 2048));
  throw new StatusError({ ...value as object, code, message: value["message"] } as StatusError["status"]);
}
