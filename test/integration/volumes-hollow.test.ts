import { expect, test } from "bun:test";
import { nodes, persistentvolumeclaims, persistentvolumes, statefulsets } from "../../src/apis/builtins.ts";
import type { StatefulSet } from "../../src/apis/generated/apps/v1.ts";
import type { Node, PersistentVolume, PersistentVolumeClaim } from "../../src/apis/generated/core/v1.ts";
import { ensureLocalPathStorageClass } from "../../src/registry/bootstrap/storage-class.ts";
import { eventually } from "../support/eventually.ts";
import { hollowCluster } from "../support/hollow-cluster.ts";

const namespace = "default";

test("a StatefulSet's volumes are made, one for each pod, and go when their claims do", async () => {
  await using cluster = await hollowCluster({ nodes: ["a", "b", "c"].map((name) => ({ name })) });
  await ensureLocalPathStorageClass(cluster.client);
  await cluster.client.create<StatefulSet>(statefulsets, {
    apiVersion: "apps/v1", kind: "StatefulSet", metadata: { name: "db", namespace },
    spec: {
      replicas: 30, serviceName: "db", podManagementPolicy: "Parallel", persistentVolumeClaimRetentionPolicy: { whenDeleted: "Delete" }, selector: { matchLabels: { app: "db" } },
      template: { metadata: { labels: { app: "db" } }, spec: { terminationGracePeriodSeconds: 0, containers: [{ name: "c", image: "app:1" }] } },
      volumeClaimTemplates: [{ metadata: { name: "data" }, spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } } }],
    },
  } as StatefulSet);
  await eventually(() => expect(cluster.list<StatefulSet>(statefulsets)[0]!.status?.readyReplicas).toBe(30));
  const claims = cluster.list<PersistentVolumeClaim>(persistentvolumeclaims);
  expect([new Set(claims.map(({ spec }) => spec!.volumeName)).size, cluster.list<PersistentVolume>(persistentvolumes).length]).toEqual([30, 30]);
  for (const { metadata, spec } of cluster.list<PersistentVolume>(persistentvolumes)) expect(claims.find((claim) => claim.spec!.volumeName === metadata.name)!.metadata.uid).toBe(spec!.claimRef!.uid!);

  await cluster.client.delete(statefulsets, { namespace, name: "db" });
  await eventually(() => expect([cluster.list(persistentvolumeclaims), cluster.list(persistentvolumes)]).toEqual([[], []]));
  await eventually(() => expect(cluster.list<Node>(nodes).flatMap(({ metadata }) => Object.keys(metadata.annotations ?? {})).filter((key) => key.startsWith("local-path.skiff.io/"))).toEqual([]));
});
