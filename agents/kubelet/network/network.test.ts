import { expect, test } from "bun:test";
import type { PodSpec } from "../../../src/apis/generated/core/v1.ts";
import type { Pod } from "../pod/pod.ts";
import { parseResolvConf, podDns } from "./dns.ts";
import { podHostname, sandboxHostname } from "./hostname.ts";
import { hostsFile } from "./hosts-file.ts";

const podOf = (spec: Partial<PodSpec> = {}): Pod => ({ metadata: { name: "web-0", namespace: "shop", uid: "u" }, spec: { containers: [], ...spec } });
const node = parseResolvConf("# a comment\nnameserver 192.0.2.53\nnameserver fd00::53 ; another\nsearch example.com. lan\noptions timeout:1 rotate\n");
const cluster = { servers: ["10.43.0.10"], domain: "cluster.local" };
const inCluster = { servers: ["10.43.0.10"], searches: ["shop.svc.cluster.local", "svc.cluster.local", "cluster.local", "example.com", "lan"], options: ["ndots:5"] };

test("resolv.conf of the node", () => expect(node).toEqual({ servers: ["192.0.2.53", "fd00::53"], searches: ["example.com", "lan"], options: ["timeout:1", "rotate"] }));

test.each<[string, Partial<PodSpec>, object]>([
  ["ClusterFirst", {}, inCluster],
  ["ClusterFirst on the host's network", { hostNetwork: true }, node],
  ["ClusterFirstWithHostNet", { hostNetwork: true, dnsPolicy: "ClusterFirstWithHostNet" }, inCluster],
  ["Default", { dnsPolicy: "Default" }, node],
  ["None", { dnsPolicy: "None", dnsConfig: { nameservers: ["1.1.1.1"], searches: ["a"], options: [{ name: "ndots", value: "2" }, { name: "edns0" }] } }, { servers: ["1.1.1.1"], searches: ["a"], options: ["ndots:2", "edns0"] }],
  ["dnsConfig adds and overrides", { dnsConfig: { nameservers: ["10.43.0.10", "1.1.1.1"], options: [{ name: "ndots", value: "1" }] } }, { ...inCluster, servers: ["10.43.0.10", "1.1.1.1"], options: ["ndots:1"] }],
])("DNS: %s", (_, spec, expected) => expect(podDns(podOf(spec), cluster, node)).toEqual(expected as ReturnType<typeof podDns>));

test("host names", () => {
  expect(podHostname(podOf(), "cluster.local")).toEqual({ hostname: "web-0" });
  expect(podHostname(podOf({ hostname: "h", subdomain: "s" }), "cluster.local")).toEqual({ hostname: "h", fqdn: "h.s.shop.svc.cluster.local" });
  expect(podHostname({ ...podOf(), metadata: { name: `${"x".repeat(62)}-tail` } }, "c").hostname).toBe("x".repeat(62));
  expect(sandboxHostname(podOf({ hostNetwork: true }), "c")).toBe("");
  expect(sandboxHostname(podOf({ subdomain: "s", setHostnameAsFQDN: true }), "c")).toBe("web-0.s.shop.svc.c");
});

test("the hosts file", () => {
  const own = hostsFile(podOf({ hostAliases: [{ ip: "1.2.3.4", hostnames: ["a", "b"] }] }), ["10.42.0.2"], "c", "node's");
  expect(own).toStartWith("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n");
  expect(own).toEndWith("10.42.0.2\tweb-0\n\n# Entries added by HostAliases.\n1.2.3.4\ta\tb\n");
  expect(hostsFile(podOf({ hostNetwork: true }), [], "c", "192.0.2.1 node\n")).toBe("# Kubernetes-managed hosts file (host network).\n192.0.2.1 node\n");
});
