import { TestSkiff } from "../support/skiff.ts";
import { ApiConnection, credentialsOf } from "./api-connection.ts";
import type { Measure, Row } from "./measure.ts";
import { figuresOf } from "./process-figures.ts";

const connections = 16;

/** Resident memory of the control plane holding 10,000 and 50,000 objects (pods of one Deployment's making, and ConfigMaps, half each), and what each object costs. */
export const measureObjects: Measure = async ({ network, quick }) => {
  const skiff = new TestSkiff({ network, flags: ["--disable-agent"] });
  try {
    await skiff.start({ node: false });
    const credentials = credentialsOf(skiff.kubeconfig);
    const settle = (): Promise<void> => Bun.sleep(quick ? 3000 : 20_000);
    await settle();
    const empty = figuresOf(skiff.pid);
    const rows: Row[] = [{ what: "RSS of the control plane, no objects", values: [empty.residentMb], unit: "MB", note: `${empty.anonymousMb.toFixed(0)} MB of it anonymous` }];
    let made = 0;
    for (const count of quick ? [2000, 10_000] : [10_000, 50_000]) {
      // New ones each time: the server ends connections that are idle for as long as the pauses last.
      await Promise.all(Array.from({ length: connections }, async () => {
        const client = await ApiConnection.open(credentials);
        while (made < count) await create(client, made++);
        client.close();
      }));
      await settle();
      const { residentMb, anonymousMb } = figuresOf(skiff.pid);
      rows.push({
        what: `RSS of the control plane, ${count.toLocaleString("en-US")} objects`, values: [residentMb], unit: "MB",
        note: `${anonymousMb.toFixed(0)} MB of it anonymous; ${Math.round((residentMb - empty.residentMb) * 1e6 / count)} bytes an object`,
      });
    }
    return rows;
  } finally {
    skiff.dispose();
  }
};

async function create(client: ApiConnection, index: number): Promise<void> {
  const { status, body } = index % 2
    ? await client.request("POST", "/api/v1/namespaces/default/configmaps", configMap(index))
    : await client.request("POST", "/api/v1/namespaces/default/pods", pod(index));
  if (status !== 201) throw new Error(`the server answered ${status}: ${body.toString().slice(0, 500)}`);
}

const configMap = (index: number): string => JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: `map-${index}` }, data: { key: `value-${index}`, text: "x".repeat(500) } });

const pod = (index: number): string => JSON.stringify({
  apiVersion: "v1", kind: "Pod", metadata: { name: `pod-${index}`, labels: { app: "bench", "app.kubernetes.io/part-of": "measurement" } },
  spec: { containers: [{ name: "main", image: "localhost/busybox:1", command: ["sleep", "1000"], env: [{ name: "COLOUR", value: "blue" }], ports: [{ containerPort: 80 }], resources: { requests: { cpu: "10m", memory: "16Mi" } } }] },
});
