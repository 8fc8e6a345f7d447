import type { KubeObject } from "../../src/apimachinery/meta.ts";
import { endpointslices, services } from "../../src/apis/builtins.ts";
import { apiservices } from "../../src/apis/apiregistration/apiservice.ts";
import type { Client } from "../../src/client/client.ts";
import { createCa, createLeaf } from "../../src/server/pki/certificate.ts";

export interface ExtensionServer {
  readonly port: number;
  /** Registers a group-version as its own, with the Service it stands behind. */
  register(client: Client, group: string, version: string): Promise<void>;
  stop(): Promise<void>;
}

const service = { namespace: "default", name: "extension" };
/** Where `startApiServer` finds the Service, given in its `serviceAddresses`. */
export const extensionService = `${service.namespace}/${service.name}`;

/** An extension API server over TLS on loopback; `answer` returns an object, or a Response, for each request, and a list of resources for discovery. */
export async function startExtensionServer(answer: (request: Request, url: URL) => object | Promise<object>): Promise<ExtensionServer> {
  const end = new Date(Date.now() + 86_400_000);
  const ca = await createCa("extension-ca", end);
  const leaf = await createLeaf({ issuer: ca, usage: "server", subject: { commonName: "x" }, names: [`${service.name}.${service.namespace}.svc`], notAfter: end });
  const server = Bun.serve({
    hostname: "127.0.0.1", port: 0, tls: { cert: leaf.certificate, key: leaf.key },
    async fetch(request) {
      const answered = await answer(request, new URL(request.url));
      return answered instanceof Response ? answered : Response.json(answered);
    },
  });
  return {
    port: server.port!,
    async register(client, group, version) {
      const create = <T extends KubeObject>(card: Parameters<Client["create"]>[0], object: T): Promise<unknown> => client.create(card as never, object as never).catch((error: { code?: number }) => {
        if (error.code !== 409) throw error;
      });
      await create(services as never, { metadata: service, spec: { ports: [{ name: "https", port: 443 }], selector: { none: "matches" } } } as KubeObject);
      await create(endpointslices as never, { metadata: { name: "extension-1", namespace: service.namespace, labels: { "kubernetes.io/service-name": service.name } }, addressType: "IPv4", ports: [{ name: "https", port: server.port }], endpoints: [{ addresses: ["10.1.2.3"], conditions: { ready: true } }] } as KubeObject);
      const spec = { group, version, groupPriorityMinimum: 100, versionPriority: version === "v1beta2" ? 200 : 100, caBundle: Buffer.from(ca.certificate).toString("base64"), service: { ...service, port: 443 } };
      await client.create(apiservices, { metadata: { name: `${version}.${group}` }, spec });
    },
    stop: () => server.stop(true),
  };
}
