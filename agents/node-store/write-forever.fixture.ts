import type { Frozen } from "../../src/apimachinery/meta.ts";
import { pods } from "../../src/apis/core/pod/pod.ts";
import type { Pod } from "../../src/apis/generated/core/v1.ts";
import { systemClock } from "../../src/base/clock.ts";
import { logger } from "../../src/base/log.ts";
import { ObjectStore } from "../../src/client/object-store.ts";
import { NodeStore } from "./node-store.ts";
import { urgencyOfPod } from "./worth-keeping.ts";

/** Version n of the store's pods: each version gives one of ten pods another uid, every seventh deletes it. Goes on from what is there, until it is killed; says when it has begun. */
const [path = ""] = process.argv.slice(2);
const node = new NodeStore({ path, cluster: "c", secret: "s", clock: systemClock, log: logger("node-store") });
const store = new ObjectStore<Pod>(node.keeper("kubelet", [[pods, urgencyOfPod]]).collection(pods, {}));
if (!store.resourceVersion) store.resourceVersion = "0";
const first = Number(store.resourceVersion) + 1;
for (let version = first; ; version++) {
  const name = `pod-${version % 10}`;
  store.resourceVersion = String(version);
  if (version % 7 === 0) store.delete(`d/${name}`);
  else store.set({ metadata: { name, namespace: "d", uid: String(version), resourceVersion: String(version) }, spec: { containers: [] } } as Frozen<Pod>);
  if (version === first) process.stdout.write("writing\n");
  if (version % 5 === 0) await new Promise((resolve) => setImmediate(resolve));
}
