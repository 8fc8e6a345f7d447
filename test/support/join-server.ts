import { join } from "node:path";
import { endpointslices } from "../../src/apis/discovery/endpointslice.ts";
import { nodes, secrets } from "../../src/apis/builtins.ts";
import { listenFront } from "../../src/apiserver/front/listen.ts";
import type { Front } from "../../src/apiserver/front/front.ts";
import type { HttpHandler } from "../../src/base/http.ts";
import type { ClusterConfiguration } from "../../src/base/join/enrolment.ts";
import type { Client } from "../../src/client/client.ts";
import { withJoin } from "../../src/server/join/handler.ts";
import { ownNodePasswords } from "../../src/server/join/password-owners.ts";
import { serverUrls } from "../../src/server/join/server-urls.ts";
import { ensurePki } from "../../src/server/pki/cluster-pki.ts";
import { ensureToken, joinSecrets } from "../../src/server/token.ts";
import { startApiServer, type TestApiServer } from "./apiserver.ts";

export interface JoinServerOptions {
  /** The server's clock, in milliseconds since the epoch. */
  now?(): number;
  /** Its token is made anew by tests that rotate it. */
  token?: string;
}

/** An API server that machines can join, in this process, with a certificate authority and a port of its own. */
export interface JoinServer extends AsyncDisposable {
  readonly api: TestApiServer;
  readonly client: Client;
  readonly url: string;
  /** As "skiff token" prints it. */
  readonly token: string;
  readonly dataDir: string;
  readonly pki: Awaited<ReturnType<typeof ensurePki>>;
  /** What it tells nodes; tests change it. */
  readonly cluster: ClusterConfiguration;
  /** What its ports call. */
  readonly handler: HttpHandler;
  /** Whether start-up has finished. */
  ready: boolean;
  /** Stops listening, as a server does that has lost its power; `listen` opens the same port again. */
  cut(): Promise<void>;
  listen(): Promise<void>;
  /** One more port of the same cluster: another server. */
  another(): Promise<{ url: string; cut(): Promise<void> }>;
}

export async function startJoinServer({ now = Date.now, token: given }: JoinServerOptions = {}): Promise<JoinServer> {
  const api = await startApiServer();
  const dataDir = join(api.directory, "data");
  const servingNames = ["kubernetes", "localhost", "the-server", "127.0.0.1"];
  const pki = await ensurePki({ directory: join(dataDir, "server/tls"), servingNames, nodeName: "the-server", nodeAddresses: ["127.0.0.1"], now: Date.now(), builtAt: 0 });
  const token = ensureToken({ dataDir, serverCa: pki.serverCa.certificate, ...(given ? { given } : {}) });
  const client = api.client(), { informers } = api;
  const stop = new AbortController();
  const owning = ownNodePasswords({ client, informers }, stop.signal);
  const state = { ready: true };
  const cluster: ClusterConfiguration = { clusterCidrs: ["10.42.0.0/16"], serviceCidrs: ["10.43.0.0/16"], clusterDns: ["10.43.0.10"], clusterDomain: "cluster.local" };
  const handler = withJoin(api.handler, {
    client, nodes: informers.informer(nodes).lister, secrets: informers.informer(secrets).lister, joinSecrets: () => joinSecrets(dataDir), serverCa: pki.serverCa, clientCa: pki.clientCa,
    ready: () => state.ready, reservedNames: () => servingNames, servers: () => serverUrls(informers.informer(endpointslices).lister), now,
    cluster,
  });
  const open = (port: number): Promise<Front> => listenFront({ hostname: "127.0.0.1", port, tls: { cert: pki.serving.certificate, key: pki.serving.key, clientCa: pki.clientCa.certificate }, handler });
  const first = await open(0), { port } = first;
  const fronts = new Set([first]);
  const close = async (front: Front): Promise<void> => {
    if (fronts.delete(front)) await front.stop({ graceMs: 0 });
  };
  let current = first;
  return {
    api, client, url: `https://127.0.0.1:${port}`, token, dataDir, pki, handler, cluster,
    get ready() {
      return state.ready;
    },
    set ready(value) {
      state.ready = value;
    },
    cut: () => close(current),
    async listen() {
      current = await open(port);
      fronts.add(current);
    },
    async another() {
      const front = await open(0);
      fronts.add(front);
      return { url: `https://127.0.0.1:${front.port}`, cut: () => close(front) };
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await owning;
      await Promise.all([...fronts].map(close));
      await api.stop();
    },
  };
}
