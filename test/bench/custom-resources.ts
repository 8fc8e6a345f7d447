import { existsSync } from "node:fs";
import { operatorDefinition } from "../fixtures/operator-definitions.ts";
import { eventually } from "../support/eventually.ts";
import { TestSkiff } from "../support/skiff.ts";
import { ApiConnection, credentialsOf } from "./api-connection.ts";
import { timed, type Measure } from "./measure.ts";
import { figuresOf } from "./process-figures.ts";

const count = 200;

/** What 200 definitions of an operator set cost: to make, to start with, and in memory, at rest and after clients have read discovery and OpenAPI. */
export const measureCustomResources: Measure = async ({ network, quick }) => {
  const definitions = Array.from({ length: count }, (_, index) => JSON.stringify(operatorDefinition(index)));
  const skiff = new TestSkiff({ network, flags: ["--disable-agent"] });
  const settle = (): Promise<void> => Bun.sleep(quick ? 3000 : 20_000);
  try {
    const startedEmpty = await startTimes(skiff, quick);
    await skiff.start({ node: false });
    await settle();
    const empty = figuresOf(skiff.pid);
    let client = await ApiConnection.open(credentialsOf(skiff.kubeconfig));
    const made = await timed(async () => {
      for (const definition of definitions) expectStatus(await client.request("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition), 201);
    });
    await eventually(async () => {
      const { body } = await client.request("GET", "/apis", undefined, { accept: "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList" });
      const served = body.toString().match(/"resource":"things\d+"/g)?.length ?? 0;
      if (served < count) throw new Error(`${served} of ${count} are served`);
    }, { timeout: 30_000, interval: 50 });
    client.close();
    await skiff.stop();
    const startedFull = await startTimes(skiff, quick);
    await skiff.start({ node: false });
    await settle();
    const full = figuresOf(skiff.pid);
    client = await ApiConnection.open(credentialsOf(skiff.kubeconfig));
    const openApi = await timed(async () => expectStatus(await client.request("GET", "/openapi/v2"), 200));
    for (let index = 0; index < count; index++) {
      const { group } = operatorDefinition(index).spec;
      expectStatus(await client.request("POST", `/apis/${group}/v1/namespaces/default/things${index}`, JSON.stringify({ apiVersion: `${group}/v1`, kind: `Thing${index}`, metadata: { name: "one" }, spec: { section1: { field2: "Always" } } })), 201);
    }
    client.close();
    await settle();
    const used = figuresOf(skiff.pid);
    const megabytes = (definitions.reduce((sum, { length }) => sum + length, 0) / 1e6).toFixed(1);
    return [
      { what: `start to API ready, ${count} definitions`, values: startedFull, unit: "ms", note: `${Math.round(startedEmpty.toSorted((a, b) => a - b)[0]!)} ms without; ${megabytes} MB of JSON` },
      { what: `making ${count} definitions`, values: [made], unit: "ms" },
      { what: `RSS of the control plane, ${count} definitions`, values: [full.residentMb], unit: "MB", note: `${(full.residentMb - empty.residentMb).toFixed(0)} MB more than without` },
      { what: `RSS of the control plane, ${count} definitions in use`, values: [used.residentMb], unit: "MB", note: "OpenAPI read, an object of each made" },
      { what: `GET /openapi/v2, ${count} definitions`, values: [openApi], unit: "ms", note: "the first time" },
    ];
  } finally {
    skiff.dispose();
  }
};

function expectStatus({ status, body }: { status: number; body: Buffer }, wanted: number): void {
  if (status !== wanted) throw new Error(`the server answered ${status}: ${body.toString().slice(0, 500)}`);
}

/** Starts and stops; the data directory stays. */
async function startTimes(skiff: TestSkiff, quick: boolean): Promise<number[]> {
  const times: number[] = [];
  for (let run = 0; run < (quick ? 2 : 5); run++) {
    times.push(await timed(async () => {
      skiff.spawn();
      const client = await eventually(async () => {
        if (!existsSync(skiff.kubeconfig)) throw new Error("no kubeconfig");
        return ApiConnection.open(credentialsOf(skiff.kubeconfig));
      }, { timeout: 30_000, interval: 2 });
      await eventually(async () => expectStatus(await client.request("GET", "/readyz"), 200), { timeout: 30_000, interval: 2 });
      client.close();
    }));
    await skiff.stop();
  }
  return times;
}
