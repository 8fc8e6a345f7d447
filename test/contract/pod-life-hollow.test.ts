import { afterAll, beforeAll, setDefaultTimeout } from "bun:test";
import { pods } from "../../src/apis/builtins.ts";
import type { Pod } from "../../src/apis/generated/core/v1.ts";
import { hollowCluster, type HollowCluster } from "../support/hollow-cluster.ts";
import { busyboxReference } from "../support/images.ts";
import { podLifeSuite } from "./pod-life.ts";

setDefaultTimeout(180_000);
let cluster: HollowCluster;
beforeAll(async () => {
  cluster = await hollowCluster({ nodes: [{ name: "node-1" }], scheduler: false });
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

podLifeSuite(() => ({
  client: cluster.client,
  podWhen: (name, check, timeout) => cluster.podWhen(name, check, { timeout }),
  gone: (name, timeout) => cluster.podGone(name, { timeout }),
  createPod: async (name, spec, metadata) => {
    const withImage = <C extends object>(containers: readonly C[] = []): C[] => containers.map((container) => ({ image: busyboxReference, imagePullPolicy: "IfNotPresent", ...container }));
    return await cluster.client.create(pods, {
      apiVersion: "v1", kind: "Pod", metadata: { name, namespace: "default", ...metadata },
      spec: { nodeName: "node-1", automountServiceAccountToken: false, terminationGracePeriodSeconds: 1, ...spec, containers: withImage(spec.containers), initContainers: withImage(spec.initContainers) },
    }) as Pod;
  },
}));
