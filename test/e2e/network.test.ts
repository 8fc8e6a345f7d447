import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import type { KubeJson } from "../support/kubectl.ts";
import { busyboxReference } from "../support/images.ts";
import { type ClusterMember, startCluster, type TestCluster } from "../support/node/cluster.ts";
import { service } from "../support/workloads.ts";

setDefaultTimeout(240_000);

/** A pod on a certain node that tells its name to whoever asks on port 80. */
const web = (member: ClusterMember, spec: object = {}): object => ({
  apiVersion: "v1", kind: "Pod", metadata: { name: `web-${member.name}`, namespace: "default", labels: { app: "web" } },
  spec: {
    nodeName: member.name, terminationGracePeriodSeconds: 0, tolerations: [{ operator: "Exists" }],
    containers: [{ name: "c", image: busyboxReference, command: ["sh", "-c", "hostname > /www/index.html; exec httpd -f -p 80 -h /www"], readinessProbe: { httpGet: { port: 80, path: "/" }, periodSeconds: 1 } }], ...spec,
  },
});

const podIps = async (cluster: TestCluster, name: string): Promise<string[]> => (await cluster.kubectl.get("pod", name)).status.podIPs.map(({ ip }: KubeJson) => ip);
const fromPod = (cluster: TestCluster, member: ClusterMember, ...command: string[]) => cluster.kubectl.outcome(["exec", `web-${member.name}`, "--", ...command]);
const urlHost = (address: string): string => (address.includes(":") ? `[${address}]` : address);
const getFrom = async (cluster: TestCluster, member: ClusterMember, address: string): Promise<string> => {
  const { stdout, stderr } = await fromPod(cluster, member, "timeout", "3", "wget", "-q", "-O-", `http://${urlHost(address)}/`);
  return stdout.trim() || stderr.trim();
};
const getFromNode = async (member: ClusterMember, address: string): Promise<string> => (await member.node.exec(["curl", "-sS", "--max-time", "3", `http://${urlHost(address)}/`])).stdout.trim();

/** From each of these pods to each, and from each of their nodes. */
async function expectAllReached(cluster: TestCluster, members: readonly ClusterMember[]): Promise<void> {
  for (const to of members) {
    for (const ip of await podIps(cluster, `web-${to.name}`)) {
      for (const from of members) {
        expect(`${from.name} → ${ip}: ${await getFrom(cluster, from, ip)}`).toBe(`${from.name} → ${ip}: web-${to.name}`);
        expect(`node ${from.name} → ${ip}: ${await getFromNode(from, ip)}`).toBe(`node ${from.name} → ${ip}: web-${to.name}`);
      }
    }
  }
}

async function untilServed(cluster: TestCluster, members: readonly ClusterMember[]): Promise<void> {
  await cluster.kubectl.apply(...members.map((member) => web(member)));
  await cluster.kubectl("wait", "--for=condition=Ready", "pod", ...members.map(({ name }) => `web-${name}`), "--timeout=120s");
}

const routesOf = (member: ClusterMember, ...family: string[]): Promise<string> => member.node.run(["ip", ...family, "route", "show", "proto", "83"]);
const untilReached = (cluster: TestCluster, from: ClusterMember, ip: string, name: string): Promise<void> => eventually(async () => expect(await getFrom(cluster, from, ip)).toBe(name), { interval: 200 });

describe("three nodes, two of them neighbours and one behind a router", () => {
  let cluster: TestCluster, server: ClusterMember, near: ClusterMember, far: ClusterMember;
  beforeAll(async () => {
    cluster = await startCluster({ agents: [{ name: "near" }, { name: "far", machine: { segment: "remote" } }] });
    [server, near, far] = [cluster.server, cluster.member("near"), cluster.member("far")];
    await untilServed(cluster, [server, near, far]);
  });
  afterAll(() => cluster?.dispose());

  test("pods and nodes reach the pods of all nodes: neighbours by a route, the others by VXLAN", async () => {
    expect(await routesOf(server)).toMatch(/via 192\.168\.77\.12 dev eth0/);
    expect(await routesOf(server)).toMatch(/dev skiff-\w+-vx/);
    expect((await routesOf(far)).trim().split("\n").every((line) => /dev skiff-\w+-vx/.test(line))).toBe(true);
    await expectAllReached(cluster, [server, near, far]);
  });

  test("pods are seen with their own addresses", async () => {
    const [ip] = await podIps(cluster, "web-near");
    const listening = fromPod(cluster, far, "nc", "-l", "-p", "7000", "-e", "netstat", "-tn");
    await eventually(async () => {
      const { stdout } = await fromPod(cluster, near, "sh", "-c", `nc -w 10 ${(await podIps(cluster, "web-far"))[0]} 7000 </dev/null`);
      expect(stdout).toContain(`${ip}:`);
    }, { interval: 200 });
    await listening;
  });

  test("a full-size packet goes through, and much of them", async () => {
    const mtu = Number((await fromPod(cluster, near, "cat", "/sys/class/net/eth0/mtu")).stdout);
    expect(mtu).toBe(1450);
    for (const to of ["web-server", "web-far"]) {
      const [ip] = await podIps(cluster, to);
      // 20 bytes of IP, 8 of ICMP.
      expect((await fromPod(cluster, near, "ping", "-c", "1", "-W", "20", "-s", String(mtu - 28), ip!)).exitCode).toBe(0);
    }
    await fromPod(cluster, near, "sh", "-c", "head -c 3000000 /dev/zero > /www/big");
    for (const from of [server, far]) expect((await fromPod(cluster, from, "sh", "-c", `timeout 60 wget -q -O- http://${(await podIps(cluster, "web-near"))[0]}/big | wc -c`)).stdout.trim()).toBe("3000000");
  });

  test("a Service spreads over the pods of all nodes, for pods and nodes", async () => {
    await cluster.kubectl.apply(service("web", { ports: [{ port: 80 }] }));
    const { clusterIP } = (await cluster.kubectl.get("service", "web")).spec;
    for (const member of [server, near, far]) {
      await eventually(async () => {
        const answers = new Set<string>();
        for (let i = 0; i < 30; i++) answers.add(await getFromNode(member, clusterIP));
        expect(answers).toEqual(new Set(["web-server", "web-near", "web-far"]));
      });
      await eventually(async () => expect(await getFrom(cluster, member, "web")).toStartWith("web-"), { interval: 200 });
    }
  });

  test("the Node says that its network is set up", async () => {
    for (const name of ["server", "near", "far"]) {
      await eventually(async () => {
        const { status } = await cluster.kubectl.get("node", name);
        expect(status.conditions.find(({ type }: KubeJson) => type === "NetworkUnavailable")).toMatchObject({ status: "False", reason: "PodNetworkReady" });
      });
    }
  });

  test("a link that is cut and comes back: traffic goes on, with the same pods", async () => {
    const before = (await cluster.kubectl.items("pods")).map(({ metadata, status }) => [metadata.uid, status.containerStatuses[0].containerID]);
    const [ip] = await podIps(cluster, "web-far");
    far.node.unplug();
    expect(await getFrom(cluster, near, ip!)).not.toBe("web-far");
    far.node.plug();
    await untilReached(cluster, near, ip!, "web-far");
    await cluster.untilReady();
    expect((await cluster.kubectl.items("pods")).map(({ metadata, status }) => [metadata.uid, status.containerStatuses[0].containerID])).toEqual(before);
  });

  test("a node that gets another address is followed by all, without a restart of anything", async () => {
    const before = (await cluster.kubectl.get("pod", "web-near")).status;
    await cluster.kubectl.apply({ ...web(near), metadata: { name: "on-host", namespace: "default" }, spec: { nodeName: "near", hostNetwork: true, terminationGracePeriodSeconds: 0, containers: [{ name: "c", image: busyboxReference, command: ["sleep", "1000"] }] } });
    await cluster.kubectl("wait", "--for=condition=Ready", "pod", "on-host", "--timeout=120s");
    near.node.changeAddress(55);
    await eventually(async () => {
      expect((await cluster.kubectl.get("node", "near")).status.addresses).toContainEqual({ type: "InternalIP", address: "192.168.77.55" });
      expect((await cluster.kubectl.get("pod", "web-near")).status.hostIP).toBe("192.168.77.55");
      expect((await cluster.kubectl.get("pod", "on-host")).status).toMatchObject({ hostIP: "192.168.77.55", podIP: "192.168.77.55" });
    }, { interval: 200 });
    await eventually(() => expectAllReached(cluster, [server, near, far]), { interval: 500 });
    expect((await cluster.kubectl.get("pod", "web-near")).status.containerStatuses[0].containerID).toBe(before.containerStatuses[0].containerID);
    await cluster.kubectl("logs", "web-near");
    expect((await fromPod(cluster, near, "true")).exitCode).toBe(0);
  });

  test("a node that is carried to another network changes from a route to VXLAN, and back", async () => {
    near.node.moveTo("remote");
    near.node.changeAddress();
    await eventually(async () => expect(await routesOf(far)).toMatch(/via 192\.168\.78\.\d+ dev eth0/), { interval: 200 });
    await eventually(async () => expect(await routesOf(server)).not.toContain("dev eth0"), { interval: 200 });
    await eventually(() => expectAllReached(cluster, [server, near, far]), { interval: 500 });
    near.node.moveTo("lan");
    near.node.changeAddress();
    await eventually(async () => expect(await routesOf(server)).toContain(`via ${near.node.ip} dev eth0`), { interval: 200 });
    await eventually(() => expectAllReached(cluster, [server, near, far]), { interval: 500 });
  });

  test("a power cut: the node's pods are back, and reached, without anybody's help", async () => {
    await near.node.powerCut();
    await near.boot();
    await eventually(async () => {
      const { status } = await cluster.kubectl.get("pod", "web-near");
      expect(status.containerStatuses[0]).toMatchObject({ ready: true, restartCount: 1 });
    }, { interval: 200 });
    await eventually(() => expectAllReached(cluster, [server, near, far]), { interval: 500 });
  });

  test("the server gets another address, which certificate and endpoints tell, and its old one back", async () => {
    const kubernetes = async (): Promise<string[]> => (await cluster.kubectl.get("endpoints", "kubernetes")).subsets[0].addresses.map(({ ip }: KubeJson) => ip);
    expect(await kubernetes()).toEqual([server.node.ip]);
    server.node.changeAddress(66);
    await eventually(async () => expect(await kubernetes()).toEqual(["192.168.77.66"]), { interval: 200 });
    await eventually(async () => {
      const { stdout } = await server.node.exec(["sh", "-c", "openssl s_client -connect 192.168.77.66:6443 </dev/null 2>/dev/null | openssl x509 -noout -ext subjectAltName"]);
      expect(stdout).toContain("192.168.77.66");
    }, { interval: 200 });
    server.node.changeAddress(11);
    await eventually(async () => expect(await kubernetes()).toEqual(["192.168.77.11"]), { interval: 200 });
    await cluster.untilReady();
    await eventually(() => expectAllReached(cluster, [server, near, far]), { interval: 500 });
  });

  test("a deleted node's ways go", async () => {
    const [cidr] = (await cluster.kubectl.get("node", "far")).spec.podCIDRs;
    await far.stop();
    await cluster.kubectl("delete", "node", "far");
    await eventually(async () => {
      expect(await routesOf(server)).not.toContain(cidr);
      expect(await routesOf(near)).not.toContain(cidr);
    });
  });
});
