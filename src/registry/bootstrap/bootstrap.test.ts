import { expect, test } from "bun:test";
import { configmaps, endpoints, endpointslices, flowschemas, namespaces, prioritylevelconfigurations, priorityclasses, services } from "../../apis/builtins.ts";
import { thaw } from "../../apimachinery/meta.ts";
import type { PriorityLevelConfiguration } from "../../apis/generated/flowcontrol/v1.ts";
import { startRegistry } from "../testing/fixture.ts";
import { ensureClusterInfo } from "./cluster-info.ts";
import { ensureFlowControl } from "./flow-control.ts";
import { ensureKubernetesService } from "./kubernetes-service.ts";
import { ensureSystemNamespaces, systemNamespaces } from "./namespaces.ts";
import { ensureSystemPriorityClasses } from "./priority-classes.ts";

const key = { namespace: "default", name: "kubernetes" };
const address = { clusterIP: "10.43.0.1", servers: ["192.0.2.1"], port: 6443 };

test("namespaces are there, also the second time", async () => {
  await using f = await startRegistry();
  await ensureSystemNamespaces(f.client);
  expect((await f.client.list(namespaces)).items.map(({ metadata }) => metadata.name)).toEqual([...systemNamespaces].toSorted());
});

test("the system's priority classes are there, also the second time", async () => {
  await using f = await startRegistry();
  for (let start = 0; start < 2; start++) await ensureSystemPriorityClasses(f.client);
  expect((await f.client.list(priorityclasses)).items.map(({ metadata, value }) => [metadata.name, value])).toEqual([["system-cluster-critical", 2_000_000_000], ["system-node-critical", 2_000_001_000]]);
});

test("the kubernetes Service leads to the server, wherever that moves", async () => {
  await using f = await startRegistry();
  await ensureKubernetesService(f.client, address);
  expect((await f.client.get(services, key)).spec).toMatchObject({ clusterIP: "10.43.0.1", ports: [{ name: "https", port: 443, targetPort: 6443 }] });
  expect((await f.client.get(endpoints, key)).subsets).toEqual([{ addresses: [{ ip: "192.0.2.1" }], ports: [{ name: "https", port: 6443, protocol: "TCP" }] }]);

  const before = f.cacher.revision;
  await ensureKubernetesService(f.client, address);
  expect(f.cacher.revision).toBe(before);

  await ensureKubernetesService(f.client, { ...address, servers: ["192.0.2.2"], port: 7443 });
  const slice = await f.client.get(endpointslices, key);
  expect(slice).toMatchObject({ addressType: "IPv4", endpoints: [{ addresses: ["192.0.2.2"] }], ports: [{ port: 7443 }], metadata: { labels: { "kubernetes.io/service-name": "kubernetes" } } });
  expect((await f.client.get(endpoints, key)).subsets![0]!.addresses).toEqual([{ ip: "192.0.2.2" }]);
  expect((await f.client.get(services, key)).spec.ports![0]!.targetPort).toBe(7443);
});

test("flow control's defaults are there; what somebody took over stays theirs", async () => {
  await using f = await startRegistry();
  await ensureFlowControl(f.client);
  expect((await f.client.list(prioritylevelconfigurations)).items.map(({ metadata }) => metadata.name)).toEqual(["catch-all", "exempt", "global-default", "leader-election", "node-high", "system", "workload-high", "workload-low"]);
  expect((await f.client.list(flowschemas)).items).toHaveLength(11);

  const before = f.cacher.revision;
  await ensureFlowControl(f.client);
  expect(f.cacher.revision).toBe(before);

  const change = async (name: string, annotation: string): Promise<void> => {
    const level = thaw<PriorityLevelConfiguration>(await f.client.get(prioritylevelconfigurations, { name }));
    level.metadata.annotations = { "apf.kubernetes.io/autoupdate-spec": annotation };
    level.spec.limited!.nominalConcurrencyShares = 7;
    await f.client.update(prioritylevelconfigurations, level);
  };
  await change("system", "true");
  await change("node-high", "false");
  await ensureFlowControl(f.client);
  const shares = async (name: string): Promise<number | undefined> => (await f.client.get(prioritylevelconfigurations, { name })).spec.limited!.nominalConcurrencyShares;
  expect([await shares("system"), await shares("node-high")]).toEqual([30, 7]);
});

test("cluster-info says where the cluster is, and keeps its signatures", async () => {
  await using f = await startRegistry();
  const info = { namespace: "kube-public", name: "cluster-info" };
  await ensureClusterInfo(f.client, "one");
  await f.client.patch(configmaps, info, { type: "application/merge-patch+json", body: { data: { "jws-kubeconfig-abcdef": "x" } } });
  await ensureClusterInfo(f.client, "two");
  expect((await f.client.get(configmaps, info)).data).toEqual({ kubeconfig: "two", "jws-kubeconfig-abcdef": "x" });
});
