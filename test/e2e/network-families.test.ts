import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { busyboxReference } from "../support/images.ts";
import type { KubeJson } from "../support/kubectl.ts";
import { startCluster, type TestCluster } from "../support/node/cluster.ts";
import type { TestNodeOptions } from "../support/node/test-node.ts";

setDefaultTimeout(240_000);

const families = { IPv4: { pods: "10.42.0.0/16", services: "10.43.0.0/16" }, IPv6: { pods: "fd00:42::/56", services: "fd00:43::/112" } };
type Family = keyof typeof families;
const familyOf = (address: string): Family => (address.includes(":") ? "IPv6" : "IPv4");
const urlHost = (address: string): string => (address.includes(":") ? `[${address}]` : address);

const web = (nodeName: string): object => ({
  apiVersion: "v1", kind: "Pod", metadata: { name: `web-${nodeName}`, labels: { app: "web" } },
  spec: { nodeName, terminationGracePeriodSeconds: 0, containers: [{ name: "c", image: busyboxReference, command: ["sh", "-c", "hostname > /www/index.html; exec httpd -f -p 80 -h /www"], readinessProbe: { httpGet: { port: 80 }, periodSeconds: 1 }, env: [{ name: "POD_IPS", valueFrom: { fieldRef: { fieldPath: "status.podIPs" } } }] }] },
});

async function answersTo(cluster: TestCluster, addresses: readonly string[]): Promise<void> {
  for (const member of [cluster.server, ...cluster.agents]) {
    for (const address of addresses) {
      const url = `http://${urlHost(address)}/`;
      await eventually(async () => {
        expect(`${url} from ${member.name}: ${await member.node.run(["curl", "-sS", "--max-time", "3", url])}`).toStartWith(`${url} from ${member.name}: web-`);
        expect(`${url} from web-${member.name}: ${await cluster.kubectl("exec", `web-${member.name}`, "--", "timeout", "3", "wget", "-q", "-O-", url)}`).toStartWith(`${url} from web-${member.name}: web-`);
      }, { interval: 200 });
    }
  }
}

describe.each<[string, Family[], TestNodeOptions]>([
  ["IPv4 and IPv6", ["IPv4", "IPv6"], {}],
  ["IPv6 and IPv4", ["IPv6", "IPv4"], {}],
  ["IPv6 on machines that have nothing else", ["IPv6"], { ipv4: false }],
])("a cluster of %s", (_, order, machine) => {
  test("nodes, pods and Services have addresses in that order, and all are reached, across a router too", async () => {
    const flags = ["--cluster-cidr", order.map((family) => families[family].pods).join(), "--service-cidr", order.map((family) => families[family].services).join()];
    await using cluster = await startCluster({ server: { flags, machine }, agents: [{ machine: { ...machine, segment: "remote" } }] });
    const { kubectl } = cluster, names = ["server", "agent-1"];
    await kubectl.apply(...names.map(web), { apiVersion: "v1", kind: "Service", metadata: { name: "web" }, spec: { ipFamilyPolicy: "PreferDualStack", selector: { app: "web" }, ports: [{ port: 80 }] } });
    await kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=120s");
    for (const { metadata, spec, status } of await kubectl.items("nodes")) {
      expect([metadata.name, spec.podCIDRs.map(familyOf), status.addresses.filter(({ type }: KubeJson) => type === "InternalIP").map(({ address }: KubeJson) => familyOf(address))]).toEqual([metadata.name, order, order]);
    }
    const pods = await kubectl.items("pods"), service = await kubectl.get("service", "web");
    for (const { status } of pods) {
      expect([status.podIPs.map(({ ip }: KubeJson) => familyOf(ip)), status.podIP, status.hostIPs.map(({ ip }: KubeJson) => familyOf(ip))]).toEqual([order, status.podIPs[0].ip, order]);
    }
    expect((await kubectl("exec", "web-server", "--", "sh", "-c", "echo $POD_IPS")).trim().split(",").map(familyOf)).toEqual(order);
    expect(service.spec.clusterIPs.map(familyOf)).toEqual(order);
    expect((await kubectl.get("service", "kubernetes", "-n", "default")).spec.clusterIPs.map(familyOf)).toEqual(order.slice(0, 1));
    await answersTo(cluster, [...pods.flatMap(({ status }) => status.podIPs.map(({ ip }: KubeJson) => ip)), ...service.spec.clusterIPs]);
    await eventually(async () => expect(await kubectl("exec", "web-agent-1", "--", "timeout", "5", "wget", "-q", "-O-", "http://web/")).toStartWith("web-"), { interval: 200 });
    // Out of the cluster: with the node's address.
    expect(await kubectl("exec", "web-agent-1", "--", "ping", "-c", "1", "-W", "20", order[0] === "IPv4" ? cluster.fabric.outsideIp : "fd77::1")).toContain("1 packets received");
    await kubectl("logs", "web-agent-1");
  });
});
