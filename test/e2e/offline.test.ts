import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ContainerStatus } from "../../src/apis/generated/core/v1.ts";
import { eventually } from "../support/eventually.ts";
import { type ClusterMember, startCluster, type TestCluster } from "../support/node/cluster.ts";
import { untilKept } from "../support/node/kept.ts";
import { deployment, pod, service, shell, webServer } from "../support/workloads.ts";
import { wrongClock } from "../support/wrong-clock.ts";

setDefaultTimeout(240_000);

/** Of the issue: from boot until all is back, with no server. */
const backWithinMs = 30_000;

let cluster: TestCluster;
let edge: ClusterMember;
beforeAll(async () => {
  cluster = await startCluster({ agents: [{ name: "edge", flags: ["--node-label", "node.skiff.io/autonomy=true"] }] });
  edge = cluster.member("edge");
});
afterAll(() => cluster.dispose());

const onEdge = { nodeSelector: { "kubernetes.io/hostname": "edge" } };
const ctr = (...args: string[]): Promise<string> => edge.node.run(["ctr", "--address", join(edge.node.layout.runDir, "containerd.sock"), "--namespace", "k8s.io", ...args]);
/** Ids of the running containers of pods whose name begins so, as the runtime has them. */
async function running(podName: string): Promise<string[]> {
  const all = (await ctr("containers", "list", "--quiet", `labels."io.kubernetes.pod.name"~="^${podName}",labels."io.kubernetes.container.name"==main`)).split("\n").filter(Boolean);
  const tasks = (await ctr("tasks", "list")).split("\n").filter((line) => line.includes("RUNNING")).map((line) => line.split(/\s+/)[0]!);
  return all.filter((id) => tasks.includes(id)).sort();
}
let execs = 0;
/** Runs a command in a pod, without the API. */
async function inPod(podName: string, ...command: string[]): Promise<string> {
  const [id] = await running(podName);
  if (!id) throw new Error(`no container of ${podName} runs`);
  return ctr("tasks", "exec", "--exec-id", `test-${execs++}`, id, ...command);
}
const withLog = (check: () => Promise<void>, timeout: number): Promise<void> => eventually(check, { timeout, interval: 100 }).catch((error: unknown) => {
  throw new Error(`${(error as Error).message}\n${edge.log(60)}`, { cause: error });
});

/** Until the node has both of the Service's endpoints for the next boot, ready. */
async function untilWebIsKept(): Promise<void> {
  const endpoints = await eventually(async () => {
    const [slice] = await cluster.kubectl.items("endpointslices", "-l", "kubernetes.io/service-name=web");
    expect(slice.endpoints.map(({ conditions }: { conditions: { ready: boolean } }) => conditions.ready)).toEqual([true, true]);
    return slice.endpoints as { addresses: string[] }[];
  }, { interval: 250 });
  await untilKept(edge, ...endpoints.map(({ addresses: [address] }) => `"addresses":["${address}"],"conditions":{"ready":true`));
}

describe("a node whose server is gone", () => {
  test("starts its pods, Services and names again after a reboot, and the server finds them as they are", async () => {
    await cluster.kubectl("create", "configmap", "greeting", "--from-literal=text=hello");
    await cluster.kubectl("create", "secret", "generic", "password", "--from-literal=word=hunter2");
    const fromConfigMap = { env: [{ name: "TEXT", valueFrom: { configMapKeyRef: { name: "greeting", key: "text" } } }], volumeMounts: [{ name: "password", mountPath: "/password" }] };
    await cluster.kubectl.apply(
      { apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: { name: "ledger" }, spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Mi" } } } },
      pod("keeper", shell("date >> /ledger/starts; sleep 10000", { volumeMounts: [{ name: "ledger", mountPath: "/ledger" }] }), { ...onEdge, volumes: [{ name: "ledger", persistentVolumeClaim: { claimName: "ledger" } }] }),
      deployment("web", 2, webServer("mkdir /www; echo $TEXT from $HOSTNAME > /www/index.html; cp /password/word /www/", fromConfigMap), { ...onEdge, volumes: [{ name: "password", secret: { secretName: "password" } }] }),
      // No registry can be reached from here, so that the node has to be content with the image that it has, as it is autonomous.
      service("web"), pod("client", shell("sleep 10000", { imagePullPolicy: "Always" }), onEdge),
    );
    await cluster.kubectl("rollout", "status", "deployment", "web", "--timeout=120s");
    for (const name of ["client", "keeper"]) await cluster.kubectl.untilPod(name, (status) => expect(status.phase).toBe("Running"));
    const { clusterIP } = (await cluster.kubectl.get("service", "web")).spec;
    // busybox' wget, which is linked statically, can't look up names: its nslookup can.
    const answers = async (): Promise<void> => {
      expect(await inPod("client", "nslookup", "web.default.svc.cluster.local")).toContain(`Address: ${clusterIP}`);
      expect(await inPod("client", "wget", "-q", "-O-", `http://${clusterIP}/`)).toStartWith("hello from web-");
      expect(await inPod("client", "wget", "-q", "-O-", `http://${clusterIP}/word`)).toBe("hunter2");
    };
    await withLog(answers, 60_000);
    await untilWebIsKept();

    await cluster.server.node.powerCut();
    await edge.node.powerCut();
    await edge.boot();
    await withLog(async () => {
      expect(await running("web-")).toHaveLength(2);
      await answers();
      expect((await inPod("keeper", "cat", "/ledger/starts")).trim().split("\n")).toHaveLength(2);
    }, backWithinMs);

    // Life goes on: a pod that is not ready is left out, one that crashes starts again.
    const [first = "", second = ""] = await running("web-");
    const hostname = async (id: string): Promise<string> => (await ctr("tasks", "exec", "--exec-id", `test-${execs++}`, id, "hostname")).trim();
    const other = await hostname(second);
    const answer = (): Promise<string> => inPod("client", "wget", "-q", "-O-", `http://${clusterIP}/`).then((text) => text.trim());
    await ctr("tasks", "exec", "--exec-id", `test-${execs++}`, first, "rm", "/www/index.html");
    await withLog(async () => {
      for (let n = 0; n < 10; n++) expect(await answer()).toBe(`hello from ${other}`);
    }, 60_000);
    const beforeCrash = Date.now();
    await ctr("tasks", "kill", "--signal", "SIGKILL", first);
    const afterCrash = Date.now();
    await withLog(async () => {
      expect(await running("web-")).toHaveLength(2);
      expect(await running("web-")).not.toContain(first);
      const seen = new Set<string>();
      for (let n = 0; n < 10; n++) seen.add(await answer());
      expect(seen.size).toBe(2);
    }, 60_000);

    const containers = [...await running("web-"), ...await running("client"), ...await running("keeper")];
    await cluster.server.boot();
    await cluster.untilReady("edge");
    await withLog(async () => {
      const found = (await cluster.kubectl.items("pods")).flatMap(({ status }) => status.containerStatuses as ContainerStatus[]);
      expect(found.map(({ containerID }) => containerID!.replace("containerd://", "")).sort()).toEqual(containers.sort());
      expect(found.map(({ restartCount, ready }) => [restartCount, ready]).sort()).toEqual([[1, true], [1, true], [1, true], [2, true]]);
      const { finishedAt, exitCode } = found.find(({ restartCount }) => restartCount === 2)!.lastState!.terminated!;
      expect(Date.parse(finishedAt!)).toBeWithin(beforeCrash - 5000, afterCrash + 5000);
      expect(exitCode).toBe(137);
    }, 60_000);
  });

  test("lets pods run while the agent is killed and starts again; with the server back, those it deleted meanwhile end and the others stay", async () => {
    await cluster.kubectl.apply(...["stays", "leaves", "vanishes"].map((name) => pod(name, shell("sleep 10000"), onEdge)));
    const uids: string[] = [];
    for (const name of ["stays", "leaves", "vanishes"]) {
      await cluster.kubectl.untilPod(name, (status) => expect(status.phase).toBe("Running"));
      uids.push((await cluster.kubectl.get("pod", name)).metadata.uid);
    }
    await untilKept(edge, ...uids);
    const before = [...await running("stays"), ...await running("leaves"), ...await running("vanishes")];
    expect(before).toHaveLength(3);

    edge.node.unplug();
    await cluster.kubectl("delete", "pod", "leaves", "--wait=false");
    await cluster.kubectl("delete", "pod", "vanishes", "--grace-period=0", "--force");
    for (let round = 0; round < 6; round++) {
      await edge.kill9();
      edge.start();
      // At any moment: before it has its store open, while it waits for the server, when it looks at the runtime.
      await Bun.sleep(Math.random() * 4000);
      expect([...await running("stays"), ...await running("leaves"), ...await running("vanishes")]).toEqual(before);
    }
    const starts = edge.log().split("Skiff is up").length;
    await edge.kill9();
    edge.start();
    await withLog(async () => expect(edge.log().split("Skiff is up").length).toBeGreaterThan(starts), 60_000);
    edge.node.plug();
    await withLog(async () => expect([...await running("leaves"), ...await running("vanishes")]).toEqual([]), 60_000);
    expect(await running("stays")).toEqual([before[0]!]);
    await cluster.untilReady("edge");
    expect((await cluster.kubectl.get("pod", "stays")).status.containerStatuses[0].restartCount).toBe(0);
    await eventually(async () => expect((await cluster.kubectl.items("pods")).map(({ metadata }) => metadata.name)).not.toContain("leaves"), { interval: 200 });
  });

  test("is not evicted from while it can't be reached, as it is autonomous, and serves those on it; back again its pods are ready as they were", async () => {
    const tolerations = [{ key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute", tolerationSeconds: 0 }] as const;
    await cluster.kubectl.apply(pod("hasty", shell("sleep 10000"), { ...onEdge, tolerations: [...tolerations] }));
    await cluster.kubectl.untilPod("hasty", (status) => expect(status.phase).toBe("Running"));
    const { clusterIP } = (await cluster.kubectl.get("service", "web")).spec;
    const all = async (): Promise<string[]> => [...await running("web-"), ...await running("client"), ...await running("hasty")];
    const before = await all();
    const readiness = async (): Promise<string[]> => (await cluster.kubectl.items("pods", "--field-selector", "spec.nodeName=edge")).map(({ metadata, status }) => `${metadata.deletionTimestamp ? "leaving " : ""}${status.conditions.find(({ type }: { type: string }) => type === "Ready").status}`);
    edge.node.unplug();
    await eventually(async () => {
      const { spec, status } = await cluster.kubectl.get("node", "edge");
      expect(status.conditions.find(({ type }: { type: string }) => type === "Ready").status).toBe("Unknown");
      expect(spec.taints).toEqual([{ key: "node.kubernetes.io/unreachable", effect: "NoSchedule", timeAdded: expect.any(String) }]);
      expect(new Set(await readiness())).toEqual(new Set(["False"]));
    }, { timeout: 120_000, interval: 500 });
    expect(await inPod("client", "wget", "-q", "-O-", `http://${clusterIP}/`)).toStartWith("hello from web-");
    edge.node.plug();
    await withLog(async () => expect(new Set(await readiness())).toEqual(new Set(["True"])), 60_000);
    expect(await all()).toEqual(before);
    await cluster.kubectl("delete", "pod", "hasty");
  });

  test("is a node again when it was deleted meanwhile", async () => {
    const uid = async (): Promise<string> => (await cluster.kubectl.get("node", "edge")).metadata.uid;
    const before = await uid();
    await edge.node.powerCut();
    await cluster.kubectl("delete", "node", "edge");
    await edge.boot();
    await cluster.untilReady("edge");
    expect(await uid()).not.toBe(before);
  });

  test("needs no address, no route and no clock; with another address, and the clock set, it is the same node", async () => {
    await cluster.kubectl("rollout", "status", "deployment", "web", "--timeout=120s");
    writeFileSync(join(edge.node.layout.agentDir, "pods/watchman.yaml"), JSON.stringify(pod("watchman", shell("sleep 10000"))));
    await cluster.kubectl.untilPod("watchman-edge", (status) => expect(status.phase).toBe("Running"));
    const { clusterIP } = (await cluster.kubectl.get("service", "web")).spec;
    await untilWebIsKept();
    const before = edge.node.ip;
    await cluster.server.node.powerCut();
    await edge.node.powerCut();

    const clock = wrongClock(join(edge.node.disk, "clock"));
    clock.set(new Date("1970-01-01T00:10:00Z"));
    edge.environment = clock.environment;
    await edge.node.boot();
    edge.node.dropAddresses();
    edge.start();
    await withLog(async () => {
      expect(await inPod("client", "nslookup", "web.default.svc.cluster.local")).toContain(`Address: ${clusterIP}`);
      expect(await inPod("client", "wget", "-q", "-O-", `http://${clusterIP}/`)).toStartWith("hello from web-");
    }, backWithinMs);
    expect(edge.log()).toContain("\n1970-01-01T00:");
    const all = async (): Promise<string[]> => (await Promise.all(["web-", "client", "keeper", "stays", "watchman-edge"].map(running))).flat().sort();
    await withLog(async () => expect(await all()).toHaveLength(6), backWithinMs);
    const containers = await all();

    edge.node.changeAddress(77);
    expect(edge.node.ip).not.toBe(before);
    await cluster.server.boot();
    await cluster.untilApiReady();
    // A server's certificates are from before the machine's clock was right.
    await cluster.untilReady("edge");
    clock.set();
    await withLog(async () => {
      const { addresses } = (await cluster.kubectl.get("node", "edge")).status;
      expect(addresses.find(({ type }: { type: string }) => type === "InternalIP").address).toBe(edge.node.ipv4);
      const found = (await cluster.kubectl.items("pods")).flatMap(({ status }) => status.containerStatuses as { containerID: string; ready: boolean }[]);
      expect(found.map(({ containerID }) => containerID!.replace("containerd://", "")).sort()).toEqual(containers);
      expect(found.every(({ ready }) => ready)).toBe(true);
    }, 60_000);
    // What the clock said was no reason to end a container, nor is that it says something else now.
    expect(await all()).toEqual(containers);
    await cluster.untilReady("edge");
    edge.environment = {};
  });
});

describe("a machine that is server and node", () => {
  test("starts its pods, Services and names with nothing around it: no address, no route, no DNS, no clock", async () => {
    const { server, kubectl } = cluster;
    const onServer = { nodeSelector: { "kubernetes.io/hostname": "server" } };
    await kubectl.apply(deployment("shop", 2, webServer("mkdir /www; echo $HOSTNAME > /www/index.html"), onServer), service("shop"), pod("visitor", shell("sleep 10000"), onServer));
    await kubectl("rollout", "status", "deployment", "shop", "--timeout=120s");
    await kubectl.untilPod("visitor", (status) => expect(status.phase).toBe("Running"));
    const { clusterIP } = (await kubectl.get("service", "shop")).spec;
    const visits = async (): Promise<void> => {
      expect(await kubectl("exec", "visitor", "--", "nslookup", "shop.default.svc.cluster.local")).toContain(`Address: ${clusterIP}`);
      expect(await kubectl("exec", "visitor", "--", "wget", "-q", "-O-", `http://${clusterIP}/`)).toStartWith("shop-");
    };
    await eventually(visits, { interval: 100 });

    const clock = wrongClock(join(server.node.disk, "clock"));
    clock.set(new Date("1970-01-01T00:10:00Z"));
    server.environment = clock.environment;
    await server.node.powerCut();
    await server.node.boot();
    server.node.dropAddresses();
    writeFileSync(join(server.node.disk, "etc/resolv.conf"), "");
    server.start();
    const ready = async (): Promise<void> => {
      await kubectl("rollout", "status", "deployment", "shop", "--timeout=5s");
      const found = (await kubectl.items("pods", "-l", "app=shop")).flatMap(({ status }) => status.containerStatuses);
      expect(found.map(({ restartCount, ready: isReady }) => [restartCount, isReady])).toEqual([[1, true], [1, true]]);
    };
    const explained = (check: () => Promise<void>, timeout: number): Promise<void> => eventually(check, { timeout, interval: 200 }).catch((error: unknown) => {
      throw new Error(`${(error as Error).message}\n${server.log(60)}`, { cause: error });
    });
    await explained(async () => {
      await ready();
      await visits();
    }, backWithinMs);
    expect(server.log()).toContain("\n1970-01-01T00:");
    const uids = async (): Promise<string[]> => (await kubectl.items("pods", "-l", "app=shop")).map(({ metadata }) => metadata.uid).sort();
    const before = await uids();

    clock.set();
    server.node.setAddresses();
    await cluster.untilReady("server", "edge");
    await explained(ready, 60_000);
    expect(await uids()).toEqual(before);
    server.environment = {};
  });
});
