import { describe, expect, test } from "bun:test";
import type { Service } from "../../src/apis/generated/core/v1.ts";
import type { EndpointRecord, RecordSource } from "./records.ts";
import { resolve } from "./zone.ts";

const services: Record<string, Service["spec"]> = {
  "default/web": { clusterIP: "10.43.0.20", ports: [{ name: "http", port: 80 }, { name: "dns", protocol: "UDP", port: 53 }] },
  "default/db": { clusterIP: "None", ports: [{ name: "sql", port: 5432 }] },
  "default/empty": { clusterIP: "None" },
  "default/out": { type: "ExternalName", externalName: "example.org" },
};
const ports = [{ name: "sql", protocol: "TCP", port: 5432 }];
const endpoints: Record<string, EndpointRecord[]> = { "default/db": [{ ip: "10.42.0.5", hostname: "db-0", ports }, { ip: "10.42.0.6", ports }] };
const source: RecordSource = {
  service: (namespace, name) => services[`${namespace}/${name}`] && ({ metadata: { name, namespace }, spec: services[`${namespace}/${name}`]! }),
  hasNamespace: (namespace) => namespace === "default",
  endpoints: (namespace, name) => endpoints[`${namespace}/${name}`] ?? [],
  reverse: (ip) => (ip === "10.43.0.20" ? "web.default" : undefined),
};

function ask(name: string, type = "A"): unknown {
  const resolution = resolve({ name, type }, "cluster.local", source);
  if (!resolution || resolution.rcode !== "NOERROR") return resolution?.rcode ?? "upstream";
  return resolution.answers.map((answer) => ("data" in answer ? answer.data : undefined));
}

describe("the specification's names", () => {
  const cases: [string, string, unknown][] = [
    ["web.default.svc.cluster.local", "A", ["10.43.0.20"]],
    ["WEB.default.svc.Cluster.Local", "A", ["10.43.0.20"]],
    ["web.default.svc.cluster.local", "AAAA", []],
    ["nope.default.svc.cluster.local", "A", "NXDOMAIN"],
    ["web.nope.svc.cluster.local", "A", "NXDOMAIN"],
    ["default.svc.cluster.local", "A", []],
    ["db.default.svc.cluster.local", "A", ["10.42.0.5", "10.42.0.6"]],
    ["db-0.db.default.svc.cluster.local", "A", ["10.42.0.5"]],
    ["10-42-0-6.db.default.svc.cluster.local", "A", ["10.42.0.6"]],
    ["db-9.db.default.svc.cluster.local", "A", "NXDOMAIN"],
    ["x.web.default.svc.cluster.local", "A", "NXDOMAIN"],
    ["empty.default.svc.cluster.local", "A", "NXDOMAIN"],
    ["out.default.svc.cluster.local", "A", ["example.org"]],
    ["_http._tcp.web.default.svc.cluster.local", "SRV", [{ priority: 0, weight: 100, port: 80, target: "web.default.svc.cluster.local" }]],
    ["_dns._udp.web.default.svc.cluster.local", "SRV", [{ priority: 0, weight: 100, port: 53, target: "web.default.svc.cluster.local" }]],
    ["_dns._tcp.web.default.svc.cluster.local", "SRV", "NXDOMAIN"],
    ["_sql._tcp.db.default.svc.cluster.local", "SRV", [
      { priority: 0, weight: 50, port: 5432, target: "db-0.db.default.svc.cluster.local" },
      { priority: 0, weight: 50, port: 5432, target: "10-42-0-6.db.default.svc.cluster.local" },
    ]],
    ["10-42-0-7.default.pod.cluster.local", "A", ["10.42.0.7"]],
    ["10-42-0-777.default.pod.cluster.local", "A", "NXDOMAIN"],
    ["20.0.43.10.in-addr.arpa", "PTR", ["web.default.svc.cluster.local"]],
    ["1.1.1.1.in-addr.arpa", "PTR", "upstream"],
    ["dns-version.cluster.local", "TXT", ["1.1.0"]],
    ["cluster.local", "A", []],
    ["other.cluster.local", "A", "NXDOMAIN"],
    ["example.org", "A", "upstream"],
    ["notcluster.local", "A", "upstream"],
  ];
  test.each(cases)("%s %s", (name, type, expected) => expect(ask(name, type)).toEqual(expected));
});
