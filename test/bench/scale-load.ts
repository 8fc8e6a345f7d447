import { pods } from "../../src/apis/core/pod/pod.ts";
import type { Pod } from "../../src/apis/generated/core/v1.ts";
import { createHttpClient } from "../../src/client/http-client.ts";
import { ApiConnection, type Credentials } from "./api-connection.ts";

const connections = 16;

/** Does something for each number below `count`, over several connections at once. */
export async function inParallel(credentials: Credentials, count: number, work: (connection: ApiConnection, index: number) => Promise<void>): Promise<void> {
  let next = 0;
  await Promise.all(Array.from({ length: connections }, async () => {
    const connection = await ApiConnection.open(credentials);
    while (next < count) await work(connection, next++);
    connection.close();
  }));
}

export async function post(connection: ApiConnection, path: string, body: object): Promise<void> {
  const { status, body: answer } = await connection.request("POST", path, JSON.stringify(body));
  if (status !== 201) throw new Error(`POST ${path} was answered with ${status}: ${answer.toString().slice(0, 500)}`);
}

export async function get<T>(credentials: Credentials, path: string): Promise<T | undefined> {
  const connection = await ApiConnection.open(credentials);
  const { status, body } = await connection.request("GET", path);
  connection.close();
  if (status === 404) return undefined;
  if (status !== 200) throw new Error(`GET ${path} was answered with ${status}`);
  return JSON.parse(body.toString()) as T;
}

/** When the pods of a namespace were first seen with a node, and running, in milliseconds of `performance.now()`. */
export class PodWatch {
  readonly bound = new Map<string, number>();
  readonly running = new Map<string, number>();
  readonly #stop = new AbortController();
  readonly #watching: Promise<void>;

  constructor(credentials: Credentials, namespace: string) {
    const { ca, cert, key, port } = credentials;
    const client = createHttpClient({ server: `https://127.0.0.1:${port}`, tls: { ca, cert, key } });
    this.#watching = this.#watch(client.watch(pods, { namespace, resourceVersion: "0" }, this.#stop.signal));
  }

  async #watch(events: AsyncIterable<{ type: string; object: unknown }>): Promise<void> {
    for await (const { object } of events) {
      const { metadata, spec, status } = object as Pod;
      const name = metadata.name!, now = performance.now();
      if (spec?.nodeName && !this.bound.has(name)) this.bound.set(name, now);
      if (status?.phase === "Running" && !this.running.has(name)) this.running.set(name, now);
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#watching;
  }
}

/** Waits, with a look now and then, at most five minutes. */
export async function until(what: string, check: () => boolean | Promise<boolean>, interval = 50): Promise<void> {
  const deadline = performance.now() + 300_000;
  while (!await check()) {
    if (performance.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await Bun.sleep(interval);
  }
}
