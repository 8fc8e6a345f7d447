import { describe, expect, test } from "bun:test";
import type { Pod } from "../../src/apis/generated/core/v1.ts";
import { KnownPods } from "./known-pods.ts";

interface PodFacts { uid?: string; ip?: string; phase?: string; created?: string; node?: string; hostNetwork?: boolean }
const pod = ({ uid = "1", ip, phase = "Running", created = "2026-01-01T00:00:00Z", node = "node-1", hostNetwork = false }: PodFacts = {}): Pod => ({
  metadata: { namespace: "shop", name: "web-0", uid, labels: { uid }, creationTimestamp: created },
  spec: {
    nodeName: node, hostNetwork, containers: [{ name: "main", ports: [{ name: "http", containerPort: 80 }, { containerPort: 81 }] }],
    initContainers: [{ name: "sidecar", restartPolicy: "Always", ports: [{ name: "dns", containerPort: 53, protocol: "UDP" }] }, { name: "init", ports: [{ name: "never", containerPort: 1 }] }],
  },
  status: { phase, ...(ip ? { podIPs: [{ ip }] } : {}) },
} as unknown as Pod);
const key = "shop/web-0";
const later = "2026-01-02T00:00:00Z";

describe("what the API shows", () => {
  test("address, labels, place and the names of ports", () =>
    expect(new KnownPods("node-1").update(key, undefined, pod({ ip: "10.42.0.2" }))).toEqual({ namespace: "shop", labels: { uid: "1" }, ips: ["10.42.0.2"], local: true, ports: [{ name: "http", protocol: "tcp", port: 80 }, { name: "dns", protocol: "udp", port: 53 }] }));
  test("pods of other nodes are not local", () => expect(new KnownPods("node-1").update(key, undefined, pod({ ip: "10.42.1.2", node: "node-2" }))?.local).toBe(false));
  const none: [string, PodFacts][] = [["no address yet", {}], ["the node's own", { ip: "192.0.2.7", hostNetwork: true }], ["ended well", { ip: "10.42.0.2", phase: "Succeeded" }], ["ended badly", { ip: "10.42.0.2", phase: "Failed" }]];
  test.each(none)("nothing: %s", (_, facts) => expect(new KnownPods("node-1").update(key, undefined, pod(facts))).toBeUndefined());
});

describe("a pod of this node", () => {
  const ipsOf = (view: { ips: readonly string[] } | undefined) => view?.ips;
  test("has the address it was announced with, until the API shows it; then what the API shows", () => {
    const pods = new KnownPods("node-1");
    expect(ipsOf(pods.announce(key, pod(), ["10.42.0.2"]))).toEqual(["10.42.0.2"]);
    expect(ipsOf(pods.update(key, undefined, pod()))).toEqual(["10.42.0.2"]);
    expect(ipsOf(pods.update(key, undefined, pod({ ip: "10.42.0.1" })))).toEqual(["10.42.0.2"]);
    expect(ipsOf(pods.update(key, undefined, pod({ ip: "10.42.0.2" })))).toEqual(["10.42.0.2"]);
    expect(ipsOf(pods.update(key, undefined, pod({ ip: "10.42.0.3" })))).toEqual(["10.42.0.3"]);
  });

  test("is not mistaken for a former one of its name, whose end is told later", () => {
    const pods = new KnownPods("node-1"), former = pod({ ip: "10.42.0.2" }), current = pod({ uid: "2", created: later });
    pods.update(key, undefined, former);
    pods.announce(key, current, ["10.42.0.9"]);
    expect(ipsOf(pods.update(key, former, pod({ ip: "10.42.0.2", phase: "Failed" })))).toEqual(["10.42.0.9"]);
    expect(ipsOf(pods.update(key, former, undefined))).toEqual(["10.42.0.9"]);
    expect(pods.update(key, undefined, current)).toMatchObject({ ips: ["10.42.0.9"], labels: { uid: "2" } });
  });

  test("gives way to a later one of its name, and goes with the object", () => {
    const pods = new KnownPods("node-1");
    pods.announce(key, pod(), ["10.42.0.2"]);
    expect(ipsOf(pods.update(key, pod(), pod({ uid: "2", created: later, ip: "10.42.0.9" })))).toEqual(["10.42.0.9"]);
    pods.announce(key, pod({ uid: "2", created: later }), ["10.42.0.10"]);
    expect(pods.update(key, pod({ uid: "2", created: later }), undefined)).toBeUndefined();
  });
});
