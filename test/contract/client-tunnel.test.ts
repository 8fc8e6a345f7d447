import { keyOf, type Frozen, type KubeObject } from "../../src/apimachinery/meta.ts";
import type { ResourceCard } from "../../src/apimachinery/resource.ts";
import type { HttpHandler } from "../../src/base/http.ts";
import { mostMessage } from "../../src/base/tunnel/frames.ts";
import { bodyOf, sendRequest } from "../../src/base/tunnel/request.ts";
import { serveStream } from "../../src/base/tunnel/serve.ts";
import { TunnelSession } from "../../src/base/tunnel/session.ts";
import { connectionPair } from "../../src/base/tunnel/testing/connection-pair.ts";
import { WebSocketConnection } from "../../src/base/websocket/websocket.ts";
import type { Client, WatchEvent, WatchOptions } from "../../src/client/client.ts";
import { createHttpClient } from "../../src/client/http-client.ts";
import type { Transport } from "../../src/client/transport.ts";
import { startApiServer } from "../support/apiserver.ts";
import { clientContract } from "./client.ts";

/** A tunnel in memory, whose requests are an administrator's. */
function tunnelTo(handler: HttpHandler): { transport: Transport; close(): void } {
  const [near, far] = connectionPair();
  const peer = { commonName: "system:admin", organizations: ["system:masters"], fingerprint: "AA" };
  const server: TunnelSession = new TunnelSession(new WebSocketConnection(far, { role: "server", maxMessageBytes: mostMessage }), {
    side: "server", mostStreams: 100, mostBufferedBytes: 8 << 20,
    serve: (stream, head) => serveStream(server, stream, head, { handlerFor: () => ({ handler, peer }), remoteAddress: "192.0.2.1", mostBodyBytes: 3 << 20, onError: (_, error) => console.error(error) }),
  });
  const session = new TunnelSession(new WebSocketConnection(near, { role: "client", maxMessageBytes: mostMessage }), { side: "agent", mostStreams: 0, mostBufferedBytes: 8 << 20, serve: async () => {} });
  return {
    transport: {
      carrier: async () => async ({ method, url, headers, body, signal }) => {
        const answer = await sendRequest(session, { method, url, headers, role: 0 }, { ...(body ? { body } : {}), ...(signal ? { signal } : {}) });
        return { status: answer.status, headers: answer.headers, body: bodyOf(answer) };
      },
      restored: AbortSignal.abort(),
    },
    close: () => session.destroy("the test is over"),
  };
}

/** Watches as informers do: with what they have by the version that they begin at. */
function remembering(client: Client): Client {
  const seen: Frozen<KubeObject>[] = [];
  const versionOf = (object: Frozen<KubeObject>): number => Number(object.metadata.resourceVersion);
  const noting = <A extends unknown[], R>(call: (...args: A) => Promise<R>) => async (...args: A): Promise<R> => {
    const result = await call(...args);
    for (const object of ((result as { items?: R[] }).items ?? [result]) as Frozen<KubeObject>[]) if (object.metadata?.resourceVersion) seen.push(object);
    return result;
  };
  async function* watch<T extends KubeObject>(card: ResourceCard<T>, options: WatchOptions, signal: AbortSignal): AsyncGenerator<WatchEvent<T>> {
    const objects = new Map<string, Frozen<KubeObject>>();
    const before = seen.filter((object) => object.kind === card.kind && versionOf(object) <= Number(options.resourceVersion ?? 0));
    for (const object of before.toSorted((a, b) => versionOf(a) - versionOf(b))) objects.set(keyOf(object), object);
    for await (const event of client.watch(card, { ...options, known: (key) => objects.get(key) }, signal)) {
      yield event;
      const object = event.object as Frozen<KubeObject>;
      if (event.type === "DELETED") objects.delete(keyOf(object));
      else if (event.type !== "BOOKMARK") objects.set(keyOf(object), object);
    }
  }
  return { ...client, watch, create: noting(client.create) as Client["create"], get: noting(client.get) as Client["get"], list: noting(client.list) as Client["list"], patch: noting(client.patch) as Client["patch"], update: noting(client.update) as Client["update"] };
}

clientContract("HttpClient through a tunnel", async () => {
  const server = await startApiServer();
  const tunnel = tunnelTo(server.handler);
  return {
    client: remembering(createHttpClient({ server: "https://192.0.2.1", transport: tunnel.transport })),
    async dispose() {
      tunnel.close();
      await server.stop();
    },
  };
}, { showsManagers: false });
