import type { IncomingMessage, OutgoingHttpHeaders } from "node:http";
import { Agent, request } from "node:https";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { ServiceAddress, ServiceResolver } from "../../registry/service-resolver.ts";
import type { ApiService } from "./api-service.ts";

/** PEM of the certificate by which extension API servers know us. */
export interface ProxyClient {
  certificate: string;
  key: string;
}

export interface RemoteTls {
  servername: string;
  ca?: string;
  cert: string;
  key: string;
  rejectUnauthorized: boolean;
}

export interface RemoteRequest {
  method: string;
  /** With the query. */
  path: string;
  headers: OutgoingHttpHeaders;
  body?: Uint8Array;
  signal?: AbortSignal;
}

/** The extension API servers behind APIServices. */
export interface RemoteServers {
  /** Where the service is now, by `resolveService`, and how its TLS is spoken. Throws when there is nobody. */
  locate(service: Frozen<ApiService>): { address: ServiceAddress; tls: RemoteTls };
  /** Resolves with the head of the answer; the body streams. Connections are kept and reused. */
  request(service: Frozen<ApiService>, request: RemoteRequest): Promise<IncomingMessage>;
  close(): void;
}

/** Idle connections kept to each server. */
const mostIdle = 4;

export function remoteServers({ resolveService, client }: { resolveService: ServiceResolver; client(): ProxyClient }): RemoteServers {
  const agents = new Map<string, { key: string; agent: Agent }>();

  function tlsOf({ spec: { service, caBundle, insecureSkipTLSVerify } }: Frozen<ApiService>): RemoteTls {
    const { certificate, key } = client();
    return {
      servername: `${service!.name}.${service!.namespace}.svc`, cert: certificate, key, rejectUnauthorized: insecureSkipTLSVerify !== true,
      ...(caBundle ? { ca: Buffer.from(caBundle, "base64").toString() } : {}),
    };
  }

  /** One for each APIService, made anew when the way its server is trusted changes. */
  function agentOf(name: string, tls: RemoteTls): Agent {
    const key = JSON.stringify(tls);
    const known = agents.get(name);
    if (known?.key === key) return known.agent;
    known?.agent.destroy();
    const agent = new Agent({ keepAlive: true, maxFreeSockets: mostIdle });
    agents.set(name, { key, agent });
    return agent;
  }

  const locate = (service: Frozen<ApiService>): { address: ServiceAddress; tls: RemoteTls } => {
    const { namespace = "", name = "", port = 443 } = service.spec.service!;
    return { address: resolveService(namespace, name, port), tls: tlsOf(service) };
  };

  return {
    locate,
    async request(service, { method, path, headers, body, signal }) {
      const { address, tls } = locate(service);
      const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
      const sent = request({ host: address.host, port: address.port, method, path, agent: agentOf(service.metadata.name!, tls), headers: { ...headers, host: hostOf(service), ...(body?.length ? { "content-length": body.length } : {}) }, ...tls, ...(signal ? { signal } : {}) }, resolve);
      sent.on("error", reject);
      sent.end(body?.length ? body : undefined);
      return promise;
    },
    close() {
      for (const { agent } of agents.values()) agent.destroy();
      agents.clear();
    },
  };
}

export const hostOf = ({ spec: { service } }: Frozen<ApiService>): string => `${service!.name}.${service!.namespace}.svc:${service!.port ?? 443}`;
