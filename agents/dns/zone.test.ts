import { describe, expect, test } from "bun:test";
import { decode } from "dns-packet";
import type { Service } from "../../src/apis/generated/core/v1.ts";
import { rcodes, types } from "./message.ts";
import { writeReply } from "./message-writer.ts";
import type { EndpointRecord, RecordSource } from "./records.ts";
import { resolve, sectionsOf } from "./zone.ts";

const services: Record<string, Service["spec"]> = {
  "default/web": { clusterIP: "10.43.0.20", ports: [{ name: "http", port: 80 }, { name: "dns", protocol: "UDP", port: 53 }] },
  "default/both": { clusterIP: "10.43.0.21", clusterIPs: ["10.43.0.21", "fd43::21"], ports: [{ name: "http", port: 80 }] },
  "default/db": { clusterIP: "None", ports: [{ name: "sql", port: 5432 }] },
  "default/empty": { clusterIP: "None" },
  "default/out": { type: "ExternalName", externalName: "Example.org." },
};
const ports = [{ name: "sql", protocol: "TCP", port: 5432 }];
const endpoints: Record<string, EndpointRecord[]> = { "default/db": [{ ip: "10.42.0.5", hostname: "db-0", ports }, { ip: "10.42.0.6", ports }, { ip: "fd42::7", ports: [] }] };
const records: RecordSource = {
  service: (namespace, name) => services[`${namespace}/${name}`] && ({ metadata: { name, namespace }, spec: services[`${namespace}/${name}`]! }),
  hasNamespace: (namespace) => namespace === "default",
  endpoints: (namespace, name) => endpoints[`${namespace}/${name}`] ?? [],
  reverse: (ip) => (ip === "10.43.0.20" || ip === "fd43:0:0:0:0:0:0:21" ? ["web.default"] : ip === "10.42.0.5" ? ["db-0.db.default", "db-0.other.default"] : []),
  onChange: () => () => undefined,
};
const zone = { domain: "cluster.local", records, isClusterAddress: (ip: string) => ip.startsWith("10.42.") };

/** Data of the answers as another program reads them from the message. */
function ask(name: string, type: string): unknown {
  const question = { name, type: types[type as keyof typeof types] };
  const resolution = resolve(question, zone);
  if (!resolution) return "upstream";
  if (resolution.rcode !== rcodes.NOERROR) return "NXDOMAIN";
  return decode(writeReply(question, sectionsOf(resolution, zone.domain))).answers!.map((answer) => ("data" in answer ? (answer.type === "TXT" ? String(answer.data) : answer.data) : undefined));
}

describe("the specification's names", () => {
  const cases: [string, string, unknown][] = [
    ["web.default.svc.cluster.local", "A", ["10.43.0.20"]],
    ["web.default.svc.cluster.local", "AAAA", []],
    ["web.default.svc.cluster.local", "ANY", ["10.43.0.20"]],
    ["web.default.svc.cluster.local", "TXT", []],
    ["both.default.svc.cluster.local", "A", ["10.43.0.21"]],
    ["both.default.svc.cluster.local", "AAAA", ["fd43::21"]],
    ["nope.default.svc.cluster.local", "A", "NXDOMAIN"],
    ["web.nope.svc.cluster.local", "A", "NXDOMAIN"],
    ["default.svc.cluster.local", "A", []],
    ["nope.svc.cluster.local", "A", "NXDOMAIN"],
    ["svc.cluster.local", "A", []],
    ["db.default.svc.cluster.local", "A", ["10.42.0.5", "10.42.0.6"]],
    ["db.default.svc.cluster.local", "AAAA", ["fd42::7"]],
    ["db-0.db.default.svc.cluster.local", "A", ["10.42.0.5"]],
    ["10-42-0-6.db.default.svc.cluster.local", "A", ["10.42.0.6"]],
    ["fd42--7.db.default.svc.cluster.local", "AAAA", ["fd42::7"]],
    ["db-9.db.default.svc.cluster.local", "A", "NXDOMAIN"],
    ["x.db-0.db.default.svc.cluster.local", "A", "NXDOMAIN"],
    ["x.web.default.svc.cluster.local", "A", "NXDOMAIN"],
    ["empty.default.svc.cluster.local", "A", "NXDOMAIN"],
    ["out.default.svc.cluster.local", "CNAME", ["example.org"]],
    ["_http._tcp.web.default.svc.cluster.local", "SRV", [{ priority: 0, weight: 100, port: 80, target: "web.default.svc.cluster.local" }]],
    ["_dns._udp.web.default.svc.cluster.local", "SRV", [{ priority: 0, weight: 100, port: 53, target: "web.default.svc.cluster.local" }]],
    ["_dns._tcp.web.default.svc.cluster.local", "SRV", "NXDOMAIN"],
    ["_http._tcp.web.default.svc.cluster.local", "A", []],
    ["_tcp.web.default.svc.cluster.local", "SRV", []],
    ["_sctp.web.default.svc.cluster.local", "SRV", "NXDOMAIN"],
    ["_sql._tcp.db.default.svc.cluster.local", "SRV", [
      { priority: 0, weight: 50, port: 5432, target: "db-0.db.default.svc.cluster.local" },
      { priority: 0, weight: 50, port: 5432, target: "10-42-0-6.db.default.svc.cluster.local" },
    ]],
    ["10-42-0-7.default.pod.cluster.local", "A", ["10.42.0.7"]],
    ["10-42-0-7.default.pod.cluster.local", "AAAA", []],
    ["fd42--7.default.pod.cluster.local", "AAAA", ["fd42::7"]],
    ["10-42-0-777.default.pod.cluster.local", "A", "NXDOMAIN"],
    ["10-42-0-7.nope.pod.cluster.local", "A", "NXDOMAIN"],
    ["default.pod.cluster.local", "A", []],
    ["20.0.43.10.in-addr.arpa", "PTR", ["web.default.svc.cluster.local"]],
    ["20.0.43.10.in-addr.arpa", "A", []],
    ["5.0.42.10.in-addr.arpa", "PTR", ["db-0.db.default.svc.cluster.local", "db-0.other.default.svc.cluster.local"]],
    ["1.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.3.4.d.f.ip6.arpa", "PTR", ["web.default.svc.cluster.local"]],
    ["9.0.42.10.in-addr.arpa", "PTR", "NXDOMAIN"],
    ["1.1.1.1.in-addr.arpa", "PTR", "upstream"],
    ["1.1.in-addr.arpa", "PTR", "upstream"],
    ["dns-version.cluster.local", "TXT", ["1.1.0"]],
    ["cluster.local", "A", []],
    ["other.cluster.local", "A", "NXDOMAIN"],
    ["example.org", "A", "upstream"],
    ["notcluster.local", "A", "upstream"],
  ];
  test.each(cases)("%s %s", (name, type, expected) => expect(ask(name, type)).toEqual(expected));
});

test("what is denied says for how long", () => {
  for (const name of ["nope.default.svc.cluster.local", "default.svc.cluster.local"]) {
    const question = { name, type: types.A };
    expect(decode(writeReply(question, sectionsOf(resolve(question, zone)!, zone.domain)))).toMatchObject({ flag_aa: true, authorities: [{ type: "SOA", name: "cluster.local", ttl: 5, data: { minimum: 5 } }] });
  }
});

test("an SRV answer brings the addresses of its targets", () => {
  const question = { name: "_http._tcp.both.default.svc.cluster.local", type: types.SRV };
  expect(decode(writeReply(question, sectionsOf(resolve(question, zone)!, zone.domain))).additionals).toMatchObject([{ type: "A", name: "both.default.svc.cluster.local", data: "10.43.0.21" }, { type: "AAAA", data: "fd43::21" }]);
});
