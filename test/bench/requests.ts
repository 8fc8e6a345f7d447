import { TestSkiff } from "../support/skiff.ts";
import { type Answer, ApiConnection, credentialsOf } from "./api-connection.ts";
import { type Measure, quantile, type Row } from "./measure.ts";

const connections = 16;
const pods = 5000;
const table = "application/json;as=Table;v=v1;g=meta.k8s.io", protobuf = "application/vnd.kubernetes.protobuf";

/** Requests a second, and the slowest of a hundred, over TLS with client certificates. Client and server share the machine's cores. */
export const measureRequests: Measure = async ({ network, quick }) => {
  const skiff = new TestSkiff({ network, flags: ["--disable-agent"] });
  try {
    await skiff.start({ node: false });
    const credentials = credentialsOf(skiff.kubeconfig);
    const clients = await Promise.all(Array.from({ length: connections }, () => ApiConnection.open(credentials)));
    const maps = "/api/v1/namespaces/default/configmaps";
    await eachTimes(clients, pods, (client, i) => client.request("POST", podsPath, podBody(`pod-${i}`)));
    const list = (accept: string) => (client: ApiConnection) => client.request("GET", podsPath, undefined, { accept });
    const seconds = quick ? 2 : 10;
    let created = 0;
    const versions = Array.from({ length: connections }, () => "");
    const rows = [
      await load("GET of a pod", clients, seconds, (client, i) => client.request("GET", `${podsPath}/pod-${i * 7}`)),
      await load(`LIST of ${pods} pods, JSON`, clients, seconds, list("application/json")),
      await load(`LIST of ${pods} pods, protobuf`, clients, seconds, list(protobuf)),
      await load(`LIST of ${pods} pods, Table`, clients, seconds, list(table)),
      await load("CREATE of a ConfigMap", clients, seconds, (client) => client.request("POST", maps, mapBody(`map-${created++}`))),
      await load("UPDATE of a ConfigMap", clients, seconds, async (client, i) => {
        const answer = await client.request("PUT", `${maps}/map-${i}`, mapBody(`map-${i}`, versions[i], String(performance.now())));
        versions[i] = /"resourceVersion":"(\d+)"/.exec(answer.body.toString("latin1", 0, 1000))?.[1] ?? "";
        return answer;
      }),
      await load("server-side apply of a ConfigMap", clients, seconds, (client, i) =>
        client.request("PATCH", `${maps}/applied-${i}?fieldManager=bench`, mapBody(`applied-${i}`, undefined, String(performance.now())), { contentType: "application/apply-patch+yaml" })),
    ];
    for (const client of clients) client.close();
    return rows.flat();
  } finally {
    skiff.dispose();
  }
};

async function load(what: string, clients: readonly ApiConnection[], seconds: number, ask: (client: ApiConnection, index: number) => Promise<Answer>): Promise<Row[]> {
  const times: number[] = [];
  const end = performance.now() + seconds * 1000;
  const start = performance.now();
  await Promise.all(clients.map(async (client, index) => {
    while (performance.now() < end) {
      const asked = performance.now();
      expectSuccess(await ask(client, index));
      times.push(performance.now() - asked);
    }
  }));
  const elapsed = (performance.now() - start) / 1000;
  return [
    { what, values: [times.length / elapsed], unit: "requests/s", note: `${connections} connections, ${seconds} s` },
    { what: `${what}, latency`, values: [quantile(times, 0.5)], unit: "ms", note: `p99 ${quantile(times, 0.99).toFixed(1)} ms` },
  ];
}

/** Shares `count` requests among the clients. */
async function eachTimes(clients: readonly ApiConnection[], count: number, ask: (client: ApiConnection, index: number) => Promise<Answer>): Promise<void> {
  let next = 0;
  await Promise.all(clients.map(async (client) => {
    while (next < count) expectSuccess(await ask(client, next++));
  }));
}

function expectSuccess({ status, body }: Answer): void {
  if (status >= 300) throw new Error(`the server answered ${status}: ${body.toString().slice(0, 500)}`);
}

const podsPath = "/api/v1/namespaces/default/pods";
const podBody = (name: string): string => JSON.stringify({
  apiVersion: "v1", kind: "Pod", metadata: { name, labels: { app: "bench", "app.kubernetes.io/part-of": "measurement" } },
  spec: { containers: [{ name: "main", image: "localhost/busybox:1", command: ["sleep", "1000"], env: [{ name: "COLOUR", value: "blue" }], ports: [{ containerPort: 80 }], resources: { requests: { cpu: "10m", memory: "16Mi" } } }] },
});
const mapBody = (name: string, resourceVersion?: string, value = "value"): string => JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name, ...(resourceVersion ? { resourceVersion } : {}) }, data: { key: value, text: "x".repeat(500) } });
