/** What a server is asked while its disk is slow: by tests, and by benchmarks for figures. */
import { ApiConnection, type Credentials } from "../bench/api-connection.ts";

export const mapsPath = "/api/v1/namespaces/default/configmaps";
const leasesPath = "/apis/coordination.k8s.io/v1/namespaces/default/leases";

const configMap = (name: string): string => JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { text: "x".repeat(500) } });
const lease = (name: string, number: number, resourceVersion?: string): string => JSON.stringify({ apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name, resourceVersion }, spec: { holderIdentity: "somebody", leaseDurationSeconds: 15, renewTime: `2026-01-01T00:00:00.${String(number).padStart(6, "0")}Z` } });

async function succeed(connection: ApiConnection, method: string, path: string, body?: string): Promise<Buffer> {
  const answer = await connection.request(method, path, body);
  if (answer.status >= 300) throw new Error(`${method} ${path} was answered with ${answer.status}: ${answer.body.toString()}`);
  return answer.body;
}

/** `writers` connections create ConfigMaps one after another for some seconds. Returns how many were answered, all of them with yes. */
export async function createMaps(credentials: Credentials, prefix: string, writers: number, seconds: number): Promise<number> {
  const end = performance.now() + seconds * 1000;
  let written = 0;
  await Promise.all(Array.from({ length: writers }, async (_, writer) => {
    const connection = await ApiConnection.open(credentials);
    for (let i = 0; performance.now() < end; i++, written++) await succeed(connection, "POST", mapsPath, configMap(`${prefix}-${writer}-${i}`));
    connection.close();
  }));
  return written;
}

/** Asks again and again, over one connection, until something else is over. How long each answer took, in milliseconds. */
export async function timesDuring(over: Promise<unknown>, credentials: Credentials, ask: (connection: ApiConnection) => Promise<unknown>): Promise<number[]> {
  const connection = await ApiConnection.open(credentials), times: number[] = [];
  let ended = false;
  void over.finally(() => (ended = true)).catch(() => undefined);
  while (!ended) {
    const began = performance.now();
    await ask(connection);
    times.push(performance.now() - began);
    await Bun.sleep(2);
  }
  connection.close();
  return times;
}

export const read = (path: string) => (connection: ApiConnection): Promise<Buffer> => succeed(connection, "GET", path);

/** A Lease that is renewed with each call. */
export async function renewedLease(credentials: Credentials, name: string): Promise<(connection: ApiConnection) => Promise<void>> {
  const maker = await ApiConnection.open(credentials);
  let object = await succeed(maker, "POST", leasesPath, lease(name, 0)), number = 0;
  maker.close();
  return async (connection) => {
    const [, version] = /"resourceVersion":"(\d+)"/.exec(object.toString())!;
    object = await succeed(connection, "PUT", `${leasesPath}/${name}`, lease(name, ++number, version));
  };
}
