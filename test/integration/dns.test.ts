import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { ClusterDns } from "../../agents/dns/cluster-dns.ts";
import { answerOf, overTcp, overUdp, queryOf, read } from "../../agents/dns/testing/wire.ts";
import type { ConfigMap, Namespace, Service } from "../../src/apis/generated/core/v1.ts";
import type { EndpointSlice } from "../../src/apis/generated/discovery/v1.ts";
import { systemClock } from "../../src/base/clock.ts";
import { logger } from "../../src/base/log.ts";
import { createMetrics, type MetricsRegistry } from "../../src/base/metrics.ts";
import type { InformerFactory } from "../../src/client/informer.ts";
import { eventually } from "../support/eventually.ts";
import { fakeInformer } from "../support/fake-informer.ts";
import { enterNetworkNamespace } from "../support/network-namespace.ts";

// A node of its own: this thread's network namespace.
const addresses = ["10.43.0.10", "fd43::a"], interfaceName = "skiff-test-dns";
let leave: () => void;
beforeAll(() => { leave = enterNetworkNamespace(); });
afterAll(() => leave());

let sources: { services: ReturnType<typeof fakeInformer<Service>>; endpointslices: ReturnType<typeof fakeInformer<EndpointSlice>>; namespaces: ReturnType<typeof fakeInformer<Namespace>>; configmaps: ReturnType<typeof fakeInformer<ConfigMap>> };
let metrics: MetricsRegistry;
let stop: AbortController;
let running: Promise<void>;
let logged: string[];

function start(): ClusterDns {
  stop = new AbortController();
  logged = [];
  metrics = createMetrics();
  const note = (message: string): void => void logged.push(message);
  const informers = { informer: (card: { resource: string }) => sources[card.resource as keyof typeof sources] } as unknown as InformerFactory;
  const dns = new ClusterDns({ addresses, domain: "cluster.local", clusterNetworks: ["10.42.0.0/16", "10.43.0.0/16", "fd42::/48"], interfaceName, informers, metrics, clock: systemClock, log: { ...logger("test"), warn: note, error: note } });
  running = dns.run(stop.signal);
  return dns;
}

beforeEach(() => {
  const meta = { namespace: "default", uid: "1" };
  sources = {
    services: fakeInformer<Service>({ metadata: { ...meta, name: "web" }, spec: { clusterIP: "10.43.0.20", clusterIPs: ["10.43.0.20", "fd43::20"] } }, { metadata: { ...meta, name: "db" }, spec: { clusterIP: "None" } }),
    endpointslices: fakeInformer<EndpointSlice>({ metadata: { ...meta, name: "db-1", labels: { "kubernetes.io/service-name": "db" } }, addressType: "IPv4", ports: [], endpoints: [{ addresses: ["10.42.0.5"], hostname: "db-0" }, { addresses: ["10.42.0.6"], conditions: { ready: false } }] } as unknown as EndpointSlice),
    namespaces: fakeInformer<Namespace>({ metadata: { name: "default" } } as Namespace), configmaps: fakeInformer<ConfigMap>(),
  };
});
afterEach(async () => {
  stop.abort();
  await running;
});

const dataOf = async (name: string, type = "A", address = addresses[0]!): Promise<unknown> => {
  const { rcode, answers } = await overUdp(queryOf(name, type), 53, { address, timeoutMs: 2000 });
  return rcode === "NOERROR" ? answers!.map((answer) => ("data" in answer ? answer.data : undefined)) : rcode;
};
const configure = (data: Record<string, string>): void => sources.configmaps.put({ metadata: { namespace: "kube-system", name: "skiff-dns", uid: "1" }, data } as unknown as ConfigMap);

test("answers on its addresses of both families, and follows Services, endpoints and namespaces", async () => {
  await start().ready;
  for (const address of addresses) {
    await eventually(async () => expect(await dataOf("web.default.svc.cluster.local", "A", address)).toEqual(["10.43.0.20"]));
    expect(await overTcp([queryOf("web.default.svc.cluster.local", "AAAA")], 53, { address })).toMatchObject([{ answers: [{ data: "fd43::20" }] }]);
  }
  expect(await dataOf("db.default.svc.cluster.local")).toEqual(["10.42.0.5"]);
  expect(await dataOf("5.0.42.10.in-addr.arpa", "PTR")).toEqual(["db-0.db.default.svc.cluster.local"]);
  expect(await dataOf("99.0.42.10.in-addr.arpa", "PTR")).toBe("NXDOMAIN");
  const slice = structuredClone(sources.endpointslices.lister.get("default/db-1")!) as EndpointSlice;
  slice.endpoints![1]!.conditions = { ready: true };
  sources.endpointslices.put(slice);
  expect((await dataOf("db.default.svc.cluster.local") as string[]).sort()).toEqual(["10.42.0.5", "10.42.0.6"]);
  sources.services.remove("default/web");
  expect(await dataOf("web.default.svc.cluster.local")).toBe("NXDOMAIN");
  expect(await dataOf("late.svc.cluster.local")).toBe("NXDOMAIN");
  sources.namespaces.put({ metadata: { name: "late" } } as Namespace);
  expect(await dataOf("late.svc.cluster.local")).toEqual([]);
  expect(metrics.render()).toMatch(/^coredns_dns_requests_total\{proto="tcp"\} 2$/m);
  expect(metrics.render()).toMatch(/^coredns_dns_responses_total\{rcode="NXDOMAIN"\} 3$/m);
});

test("the ConfigMap is followed, and forgotten when it goes", async () => {
  await start().ready;
  const upstream = await Bun.udpSocket({ hostname: "127.0.0.1", port: 0, socket: { data: (socket, bytes, port, address) => void socket.send(answerOf(Buffer.from(bytes), { answers: [{ type: "A", name: read(Buffer.from(bytes)).questions![0]!.name, ttl: 60, data: "198.51.100.1" }] }), port, address) } });
  configure({ stubDomains: JSON.stringify({ "factory.example": [`127.0.0.1:${upstream.port}`] }), hosts: "10.1.0.7 press" });
  expect(await dataOf("robot.factory.example")).toEqual(["198.51.100.1"]);
  expect(await dataOf("press")).toEqual(["10.1.0.7"]);
  configure({ hosts: "nonsense" });
  expect(logged.join()).toContain("the ConfigMap kube-system/skiff-dns has a mistake");
  expect(await dataOf("press")).toEqual(["10.1.0.7"]);
  sources.configmaps.remove("kube-system/skiff-dns");
  configure({ upstreamNameservers: `["127.0.0.1:${upstream.port}"]` });
  expect(await dataOf("press")).toEqual(["198.51.100.1"]);
  upstream.close();
});

test("another program's DNS server on all addresses keeps it waiting, not the node; it answers as soon as that has gone", async () => {
  const other = await Bun.udpSocket({ hostname: "0.0.0.0", port: 53, socket: { data: () => undefined } });
  await start().ready;
  await eventually(() => expect(logged.join()).toContain("port 53 of 10.43.0.10 is taken"));
  other.close();
  await eventually(async () => expect(await dataOf("web.default.svc.cluster.local")).toEqual(["10.43.0.20"]));
});

test("its interface comes back when another program removes it, sets it down or takes an address away", async () => {
  await start().ready;
  await eventually(async () => expect(await dataOf("web.default.svc.cluster.local", "A", addresses[1])).toEqual(["10.43.0.20"]));
  for (const mischief of [`ip link del ${interfaceName}`, `ip link set ${interfaceName} down`, `ip addr del 10.43.0.10/32 dev ${interfaceName}`]) {
    expect(Bun.spawnSync(mischief.split(" ")).exitCode).toBe(0);
    await eventually(async () => {
      for (const address of addresses) expect(await dataOf("web.default.svc.cluster.local", "A", address)).toEqual(["10.43.0.20"]);
    });
  }
});

test("addresses it had before are given up", async () => {
  await start().ready;
  stop.abort();
  await running;
  const held = (): string => Bun.spawnSync(["ip", "-br", "addr", "show", interfaceName]).stdout.toString();
  Bun.spawnSync(["ip", "addr", "add", "10.43.0.99/32", "dev", interfaceName]);
  await start().ready;
  await eventually(() => {
    expect(held()).not.toContain("10.43.0.99");
    expect(held()).toContain("10.43.0.10/32");
    expect(held()).toContain("fd43::a/128");
  });
});
