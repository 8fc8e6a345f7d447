// Runs beside the API server: `node-pods-load.ts KUBECONFIG NODE COUNT create|remove`. Creates so many pods on a node at once and prints, as JSON,
// after how many milliseconds each was Ready; or removes them and waits until they have gone.
import { readFileSync } from "node:fs";
import { load } from "js-yaml";
import { pods } from "../../src/apis/core/pod/pod.ts";
import type { Pod } from "../../src/apis/generated/core/v1.ts";
import { systemClock } from "../../src/base/clock.ts";
import { createHttpClient } from "../../src/client/http-client.ts";
import { createReflectingInformers } from "../../src/client/reflecting-informers.ts";
import { busyboxReference } from "../support/images.ts";

const [kubeconfig = "", nodeName = "", count = "", what = ""] = process.argv.slice(2);
const { clusters, users } = load(readFileSync(kubeconfig, "utf8")) as { clusters: { cluster: Record<string, string> }[]; users: { user: Record<string, string> }[] };
const text = (base64: string | undefined): string => Buffer.from(base64 ?? "", "base64").toString();
const { cluster } = clusters[0]!, { user } = users[0]!;
const client = createHttpClient({ server: cluster["server"]!, tls: { ca: text(cluster["certificate-authority-data"]), cert: text(user["client-certificate-data"]), key: text(user["client-key-data"]) } });
const stop = new AbortController();
const informer = createReflectingInformers({ client, clock: systemClock }, stop.signal).informer(pods, { namespace: "default" });
await informer.synced();

const isReady = (pod: Pod): boolean => pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
const names = Array.from({ length: Number(count) }, (_, i) => `load-${i}`);
const done = Promise.withResolvers<void>();
const started = new Map<string, number>(), took = new Map<string, number>();
informer.onChange((_, pod) => {
  if (what === "remove") {
    if (informer.lister.list().length === 0) done.resolve();
    return;
  }
  const { name } = pod?.metadata ?? {};
  if (name === undefined || took.has(name) || !isReady(pod as Pod)) return;
  took.set(name, performance.now() - started.get(name)!);
  if (took.size === names.length) done.resolve();
});
if (what === "remove") {
  await client.deleteCollection(pods, { namespace: "default", delete: { gracePeriodSeconds: 0 } });
  if (informer.lister.list().length === 0) done.resolve();
} else {
  await Promise.all(names.map((name) => {
    started.set(name, performance.now());
    return client.create(pods, {
      apiVersion: "v1", kind: "Pod", metadata: { name, namespace: "default" },
      spec: { nodeName, terminationGracePeriodSeconds: 0, automountServiceAccountToken: false, containers: [{ name: "main", image: busyboxReference, imagePullPolicy: "IfNotPresent", command: ["sleep", "100000"] }] },
    });
  }));
}
await Promise.race([done.promise, Bun.sleep(300_000).then(() => { throw new Error(`only ${took.size} of ${count} pods were Ready in five minutes`); })]);
process.stdout.write(JSON.stringify([...took.values()]));
process.exit(0);
