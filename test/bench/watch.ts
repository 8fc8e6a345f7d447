import { TestSkiff } from "../support/skiff.ts";
import { ApiConnection, credentialsOf } from "./api-connection.ts";
import { type Measure, quantile, type Row } from "./measure.ts";

const path = "/api/v1/namespaces/default/configmaps";
const watching = `${path}?watch=true&fieldSelector=metadata.name=watched`;
const body = (round: string): string => JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "watched" }, data: { round, text: "x".repeat(2000) } });

/** From sending a change to its arrival at the last watcher: of 100, and of 1,000 beside one that has stopped to read. */
export const measureWatch: Measure = async ({ network, quick }) => {
  const skiff = new TestSkiff({ network, flags: ["--disable-agent"] });
  try {
    await skiff.start({ node: false });
    const writer = await ApiConnection.open(credentialsOf(skiff.kubeconfig));
    await writer.request("POST", path, body("first"));
    const rows = [
      await fanOut(skiff, writer, { watchers: 100, slow: false, changes: quick ? 20 : 200 }),
      await fanOut(skiff, writer, { watchers: 1000, slow: true, changes: quick ? 10 : 100 }),
    ];
    writer.close();
    return rows;
  } finally {
    skiff.dispose();
  }
};

async function fanOut({ kubeconfig }: TestSkiff, writer: ApiConnection, { watchers, slow, changes }: { watchers: number; slow: boolean; changes: number }): Promise<Row> {
  const credentials = credentialsOf(kubeconfig);
  let round = "", arrived = 0;
  let all = Promise.withResolvers<void>();
  const connections: ApiConnection[] = [];
  for (let i = 0; i < watchers; i++) {
    const connection = await ApiConnection.open(credentials);
    await connection.watch(watching, (text) => {
      if (round && text.includes(round) && ++arrived === watchers) all.resolve();
    });
    connections.push(connection);
  }
  if (slow) {
    const connection = await ApiConnection.open(credentials);
    await connection.watch(watching, () => connection.pause());
    connections.push(connection);
  }
  const times: number[] = [];
  for (let i = 0; i < changes; i++) {
    round = `round-${watchers}-${i}-`;
    arrived = 0;
    all = Promise.withResolvers();
    const start = performance.now();
    await writer.request("PUT", `${path}/watched`, body(round));
    await all.promise;
    times.push(performance.now() - start);
  }
  for (const connection of connections) connection.close();
  return {
    what: `a change reaches the last of ${watchers} watchers${slow ? ", beside one that does not read" : ""}`, values: [quantile(times, 0.5)], unit: "ms",
    note: `p99 ${quantile(times, 0.99).toFixed(1)} ms, ${times.length} changes`,
  };
}
