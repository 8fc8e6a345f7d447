import { TestSkiff } from "../support/skiff.ts";
import { ApiConnection, credentialsOf } from "./api-connection.ts";
import { type Measure, quantile } from "./measure.ts";

const watchers = 100;

/** From sending a change to its arrival at the last of 100 watchers. */
export const measureWatch: Measure = async ({ network, quick }) => {
  const skiff = new TestSkiff({ network, flags: ["--disable-agent"] });
  try {
    await skiff.start({ node: false });
    const credentials = credentialsOf(skiff.kubeconfig);
    const writer = await ApiConnection.open(credentials);
    const path = "/api/v1/namespaces/default/configmaps";
    await writer.request("POST", path, JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "watched" }, data: { round: "first" } }));
    let round = "", arrived = 0;
    let all = Promise.withResolvers<void>();
    const connections = await Promise.all(Array.from({ length: watchers }, async () => {
      const connection = await ApiConnection.open(credentials);
      await connection.watch(`${path}?watch=true&fieldSelector=metadata.name=watched`, (text) => {
        if (round && text.includes(round) && ++arrived === watchers) all.resolve();
      });
      return connection;
    }));
    const times: number[] = [];
    for (let i = 0; i < (quick ? 20 : 200); i++) {
      round = `round-${i}-`;
      arrived = 0;
      all = Promise.withResolvers();
      const start = performance.now();
      await writer.request("PUT", `${path}/watched`, JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "watched" }, data: { round } }));
      await all.promise;
      times.push(performance.now() - start);
    }
    for (const connection of [writer, ...connections]) connection.close();
    return [{ what: `a change reaches the last of ${watchers} watchers`, values: [quantile(times, 0.5)], unit: "ms", note: `p99 ${quantile(times, 0.99).toFixed(1)} ms, ${times.length} changes` }];
  } finally {
    skiff.dispose();
  }
};
