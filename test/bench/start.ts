import { existsSync } from "node:fs";
import { TestSkiff } from "../support/skiff.ts";
import { eventually } from "../support/eventually.ts";
import { ApiConnection, credentialsOf } from "./api-connection.ts";
import type { Measure } from "./measure.ts";

/** From starting the process to an API that is ready and a node that is Ready: with an empty data directory, and with one in use. */
export const measureStart: Measure = async ({ network, quick }) => {
  const cold: Times[] = [], warm: Times[] = [];
  for (let run = 0; run < (quick ? 2 : 7); run++) {
    const skiff = new TestSkiff({ network });
    try {
      cold.push(await startAndTime(skiff));
      await skiff.stop();
      warm.push(await startAndTime(skiff));
      await skiff.stop();
    } finally {
      skiff.dispose();
    }
  }
  return [
    { what: "start to API ready, first start", values: cold.map(({ api }) => api), unit: "ms" },
    { what: "start to API ready, later starts", values: warm.map(({ api }) => api), unit: "ms" },
    { what: "start to node Ready, first start", values: cold.map(({ node }) => node), unit: "ms" },
    { what: "start to node Ready, later starts", values: warm.map(({ node }) => node), unit: "ms" },
  ];
};

interface Times { api: number; node: number }

async function startAndTime(skiff: TestSkiff): Promise<Times> {
  const logged = skiff.log().length;
  const start = performance.now();
  skiff.spawn();
  const connection = await eventually(async () => {
    if (!existsSync(skiff.kubeconfig)) throw new Error(`no kubeconfig\n${skiff.log()}`);
    const opened = await ApiConnection.open(credentialsOf(skiff.kubeconfig));
    const { status, body } = await opened.request("GET", "/readyz");
    if (status === 200) return opened;
    opened.close();
    throw new Error(body.toString());
  }, { timeout: 30_000, interval: 2 });
  const api = performance.now() - start;
  // A node that was there before is Ready on paper while nobody tends it: what counts is that all parts run and the kubelet has renewed its Lease.
  await eventually(async () => {
    if (!skiff.log().slice(logged).includes("Skiff is up")) throw new Error(`not all parts have started\n${skiff.log()}`);
    const lease = await read<{ spec: { renewTime: string } }>(connection, "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node-1");
    const node = await read<{ status?: { conditions?: { type: string; status: string }[] } }>(connection, "/api/v1/nodes/node-1");
    const ready = node.status?.conditions?.find(({ type }) => type === "Ready");
    if (ready?.status !== "True" || Date.parse(lease.spec.renewTime) < performance.timeOrigin + start) throw new Error(`the node is not Ready: ${JSON.stringify(node)}\n${skiff.log()}`);
  }, { timeout: 30_000, interval: 5 });
  connection.close();
  return { api, node: performance.now() - start };
}

async function read<T>(connection: ApiConnection, path: string): Promise<T> {
  const { status, body } = await connection.request("GET", path);
  if (status !== 200) throw new Error(`${path} answered ${status}`);
  return JSON.parse(body.toString()) as T;
}
