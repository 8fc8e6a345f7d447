import type { IncomingMessage } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import { serviceUnavailable } from "../../apimachinery/status.ts";
import type { Node } from "../../apis/generated/core/v1.ts";
import { newExchange } from "../../apiserver/exchange.ts";
import type { NodeConnector } from "../../apiserver/handlers/handler.ts";
import { forwardUpgrade } from "../../apiserver/handlers/connect/upgrade-proxy.ts";
import type { HeaderFields, HttpHandler, HttpRequest, HttpResponse } from "../../base/http.ts";
import { dialTcp } from "../../base/stream/dial.ts";
import type { Lister } from "../../client/informer.ts";
import type { KeyPair } from "../pki/certificate.ts";

interface KubeletAddress {
  host: string;
  port: number;
}

export interface KubeletPortOptions {
  nodes: Lister<Node>;
  /** PEM of the CA that signed kubelets' serving certificates. */
  serverCa: string;
  /** What the API server shows to kubelets; asked for anew since it is renewed. */
  client(): KeyPair;
  /** How long a machine may take to answer a connection, in milliseconds. */
  patienceMs?: number;
}

/** A machine that is off answers nothing at all, and the system would try for minutes. */
const defaultPatienceMs = 3_000;

/** Idle connections kept to each kubelet. */
const mostIdle = 2;

/** Reaches kubelets at the address and port that their Nodes tell, as kube-apiserver does; the certificate must be the node's. */
export function kubeletPorts({ nodes, serverCa, client, patienceMs = defaultPatienceMs }: KubeletPortOptions): NodeConnector & { close(): void } {
  const agent = new Agent({ keepAlive: true, maxFreeSockets: mostIdle });
  return {
    connect(nodeName) {
      const address = addressOf(nodes, nodeName);
      if (!address) return undefined;
      const handler: HttpHandler = async (request, response) => {
        const { certificate, key } = client();
        const tls = { servername: nodeName, ca: serverCa, cert: certificate, key, rejectUnauthorized: true };
        await mustAnswer(address, patienceMs);
        const [path = "", search = ""] = request.url.split(/\?(.*)/s);
        if (request.headers["upgrade"]) return forwardUpgrade(newExchange(request, response), { scheme: "https", ...address, path, search, tls, authority: `${nodeName}:${address.port}`, headers: forwarded(request) });
        await relay(await send({ ...address, ...tls, agent }, request), response);
      };
      return handler;
    },
    close: () => agent.destroy(),
  };
}

function addressOf(nodes: Lister<Node>, nodeName: string): KubeletAddress | undefined {
  const status = nodes.get(nodeName)?.status;
  const host = status?.addresses?.find(({ type }) => type === "InternalIP")?.address;
  const port = status?.daemonEndpoints?.kubeletEndpoint?.Port;
  return host && port ? { host, port } : undefined;
}

/** Fields of one hop, and the credentials of our own client. */
const notForwarded = new Set(["connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "content-length", "host", "authorization", "date"]);

const forwarded = ({ headers }: HttpRequest): Record<string, string> => Object.fromEntries(Object.entries(headers).filter(([name]) => !notForwarded.has(name) && !name.startsWith("impersonate-")));

async function mustAnswer({ host, port }: KubeletAddress, timeoutMs: number): Promise<void> {
  try {
    (await dialTcp({ hostname: host, port, timeoutMs })).destroy();
  } catch (error) {
    throw serviceUnavailable(`error dialing backend: ${(error as Error).message}`);
  }
}

async function send(where: KubeletAddress & { agent: Agent }, request: HttpRequest): Promise<IncomingMessage> {
  const body = await request.body();
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const sent = httpsRequest({ ...where, method: request.method, path: request.url, signal: request.signal, headers: { ...forwarded(request), ...(body.length > 0 ? { "content-length": body.length } : {}) } }, resolve);
  sent.on("error", (error) => reject(serviceUnavailable(`error dialing backend: ${error.message}`)));
  sent.end(body.length > 0 ? body : undefined);
  return promise;
}

async function relay(answer: IncomingMessage, response: HttpResponse): Promise<void> {
  const headers: HeaderFields = {};
  for (const [name, value] of Object.entries(answer.headers)) if (value !== undefined && !notForwarded.has(name)) headers[name] = value;
  const stream = response.stream(answer.statusCode ?? 502, headers);
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) if (!stream.write(chunk)) await stream.drained();
    stream.end();
  } catch {
    stream.abort();
  }
}
