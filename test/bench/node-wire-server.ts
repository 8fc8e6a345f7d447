// A server and all of its agents' ends in two processes: this one is the server, and starts itself again as the agents. Prints its memory before and after.
import { AgentTunnel } from "../../agents/tunnel/tunnel.ts";
import type { KubeObject } from "../../src/apimachinery/meta.ts";
import type { AnyResource, ResourceCard } from "../../src/apimachinery/resource.ts";
import { configmaps, endpointslices, namespaces, networkpolicies, nodes, pods, runtimeclasses, services } from "../../src/apis/builtins.ts";
import { listenFront } from "../../src/apiserver/front/listen.ts";
import { systemClock } from "../../src/base/clock.ts";
import type { DialTls } from "../../src/base/stream/dial.ts";
import { AgentRole, connectPath } from "../../src/base/tunnel/connect.ts";
import { createHttpClient } from "../../src/client/http-client.ts";
import { createReflectingInformers } from "../../src/client/reflecting-informers.ts";
import { createCa, createLeaf } from "../../src/server/pki/certificate.ts";
import { NodeTunnels } from "../../src/server/tunnel/tunnels.ts";
import { startApiServer } from "../support/apiserver.ts";

const agents = Number(process.argv[2]);
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const kubeletKinds: readonly AnyResource[] = [pods, nodes, configmaps, runtimeclasses], networkKinds: readonly AnyResource[] = [services, endpointslices, nodes, pods, namespaces, networkpolicies];

if (process.argv[3]) await beAgents(await Bun.stdin.json() as { url: string; pairs: DialTls[] });
else await beServer();

async function beServer(): Promise<void> {
  const api = await startApiServer();
  const end = new Date(Date.now() + 86_400_000), ca = await createCa("bench-ca", end);
  const serving = await createLeaf({ issuer: ca, usage: "server", subject: { commonName: "server" }, names: ["127.0.0.1"], notAfter: end });
  const tunnels = new NodeTunnels({ api: api.handler, clock: systemClock, onHeartbeat: () => undefined });
  const front = await listenFront({ hostname: "127.0.0.1", port: 0, tls: { cert: serving.certificate, key: serving.key, clientCa: ca.certificate }, handler: (request, response) => (request.url === connectPath ? tunnels.handler(request, response) : response.send(404, {})) });
  const pairs = await Promise.all(Array.from({ length: agents }, async (_, i): Promise<DialTls> => {
    const { certificate, key } = await createLeaf({ issuer: ca, usage: "client", subject: { commonName: `system:node:n${i}`, organizations: ["system:nodes", "system:masters"] }, notAfter: end });
    return { ca: ca.certificate, cert: certificate, key };
  }));
  await rest();
  const before = process.memoryUsage.rss();
  const child = Bun.spawn([process.execPath, import.meta.path, String(agents), "agents"], { stdin: new Blob([JSON.stringify({ url: `https://127.0.0.1:${front.port}`, pairs })]), stdout: "pipe", stderr: "inherit" });
  await child.stdout.getReader().read();
  await rest();
  const after = process.memoryUsage.rss();
  child.kill("SIGKILL");
  process.stdout.write(JSON.stringify({ before, after, watches: kubeletKinds.length + networkKinds.length, connected: tunnels.size }));
  process.exit(0);
}

async function rest(): Promise<void> {
  await Bun.sleep(3000);
  Bun.gc(true);
  await Bun.sleep(1000);
}

/** Says a word when all watches have begun. */
async function beAgents({ url, pairs }: { url: string; pairs: DialTls[] }): Promise<void> {
  const { signal } = new AbortController();
  await Promise.all(pairs.map(async (tls, i) => {
    const tunnel = new AgentTunnel({ servers: { current: { url, givenUp: signal }, failed: () => undefined }, tls: () => tls, handler: (_, response) => response.send(404, {}), clock: systemClock, log: silent });
    void tunnel.run(signal);
    await Promise.all(([["kubelet", kubeletKinds], ["network", networkKinds]] as const).flatMap(([role, kinds]) => {
      // Both as the kubelet, whom this cluster lets read everything: what it costs is the same.
      const informers = createReflectingInformers({ client: createHttpClient({ server: url, transport: tunnel.transport(AgentRole.kubelet) }), clock: systemClock }, signal);
      return kinds.map((card) => informers.informer(card as ResourceCard<KubeObject>, role === "kubelet" ? { labelSelector: `agent!=${i}` } : {}).synced());
    }));
  }));
  process.stdout.write("ready\n");
  await new Promise(() => undefined);
}
