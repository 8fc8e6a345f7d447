import { describe, expect, test } from "bun:test";
import { render } from "../../../apimachinery/field-errors.ts";
import type { Service, ServiceSpec } from "../../generated/core/v1.ts";
import { services } from "./service.ts";
import { anyone } from "../../testing/anyone.ts";

const made = (spec: ServiceSpec): Service => {
  const service: Service = { metadata: { name: "web", namespace: "default" }, spec: structuredClone(spec) };
  services.default!(service);
  services.strategy.prepareForCreate!(service, anyone);
  return service;
};
const errors = (spec: ServiceSpec): string[] => services.strategy.validate!(made(spec)).map(render);
const port = { port: 80 };

describe("defaults", () => {
  test("of the smallest service", () => expect(made({ ports: [port] }).spec).toEqual({ type: "ClusterIP", sessionAffinity: "None", internalTrafficPolicy: "Cluster", ports: [{ port: 80, protocol: "TCP", targetPort: 80 }] }));
  test("of a load balancer", () => expect(made({ type: "LoadBalancer", ports: [port] }).spec).toMatchObject({ externalTrafficPolicy: "Cluster", allocateLoadBalancerNodePorts: true }));
  test("of an external name", () => expect(made({ type: "ExternalName", externalName: "example.com" }).spec).toEqual({ type: "ExternalName", externalName: "example.com", sessionAffinity: "None" }));
  test("of sticky sessions", () => expect(made({ sessionAffinity: "ClientIP", ports: [port] }).spec.sessionAffinityConfig).toEqual({ clientIP: { timeoutSeconds: 10800 } }));
  test("one address, both fields", () => expect(made({ clusterIP: "None" }).spec.clusterIPs).toEqual(["None"]));
});

test.each([
  ["no ports", {}, ["spec.ports: Required value"]],
  ["headless, no ports", { clusterIP: "None" }, []],
  ["two ports, no names", { ports: [{ port: 1 }, { port: 2 }] }, ["spec.ports[0].name: Required value", "spec.ports[1].name: Required value"]],
  ["a name twice", { ports: [{ name: "a", port: 1 }, { name: "a", port: 2 }] }, ["spec.ports[1].name: Duplicate value: \"a\""]],
  ["a port twice", { ports: [{ name: "a", port: 1 }, { name: "b", port: 1 }] }, ["spec.ports[1]: Duplicate value: {\"port\":1,\"protocol\":\"TCP\"}"]],
  ["TCP and UDP of one number", { ports: [{ name: "a", port: 53 }, { name: "b", port: 53, protocol: "UDP" }] }, []],
  ["port 0", { ports: [{ port: 0, targetPort: 1 }] }, ["spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive"]],
  ["a node port of a ClusterIP service", { ports: [{ port: 1, nodePort: 30000 }] }, ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"]],
  ["a type", { type: "Cluster" as never, ports: [port] }, ["spec.type: Unsupported value: \"Cluster\": supported values: \"ClusterIP\", \"ExternalName\", \"LoadBalancer\", \"NodePort\""]],
  ["no external name", { type: "ExternalName" }, ["spec.externalName: Required value"]],
  ["a headless node port", { type: "NodePort", clusterIP: "None", ports: [port] }, ["spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for NodePort services"]],
  ["no address", { clusterIP: "x", ports: [port] }, ["spec.clusterIPs[0]: Invalid value: \"x\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]],
  ["sticky for too long", { sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: { timeoutSeconds: 100000 } }, ports: [port] }, ["spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 100000: must be greater than 0 and less than 86400"]],
  ["an outside policy inside", { externalTrafficPolicy: "Local", ports: [port] }, ["spec.externalTrafficPolicy: Invalid value: \"Local\": may only be set for externally-accessible services"]],
  ["an external loopback address", { externalIPs: ["127.0.0.1"], ports: [port] }, ["spec.externalIPs[0]: Invalid value: \"127.0.0.1\": may not be in the loopback range (127.0.0.0/8, ::1/128)"]],
  ["source ranges of no load balancer", { loadBalancerSourceRanges: ["10.0.0.0/8"], ports: [port] }, ["spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'"]],
] as [string, ServiceSpec, string[]][])("validation: %s", (_, spec, expected) => expect(errors(spec)).toEqual(expected));

describe("updates", () => {
  const stored = (spec: ServiceSpec): Service => {
    const service = made(spec);
    service.spec.clusterIP = "10.43.0.7";
    service.spec.clusterIPs = ["10.43.0.7"];
    return service;
  };
  const update = (old: Service, spec: ServiceSpec): { spec: ServiceSpec; errors: string[] } => {
    const service: Service = { metadata: { ...old.metadata }, spec: structuredClone(spec), status: structuredClone(old.status) };
    services.default!(service);
    services.strategy.prepareForUpdate!(service, old);
    return { spec: service.spec, errors: services.strategy.validateUpdate!(service, old).map(render) };
  };
  test("from a manifest keep what was allocated", () => {
    const old = stored({ type: "NodePort", ports: [{ port: 80, nodePort: 30080 }] });
    expect(update(old, { type: "NodePort", ports: [port] })).toMatchObject({ errors: [], spec: { clusterIP: "10.43.0.7", clusterIPs: ["10.43.0.7"], ports: [{ nodePort: 30080 }] } });
  });
  test("do not change the address", () => {
    expect(update(stored({ ports: [port] }), { clusterIP: "10.43.0.8", ports: [port] }).errors).toEqual(["spec.clusterIPs[0]: Invalid value: [\"10.43.0.8\"]: may not change once set"]);
  });
  test("to ClusterIP give the node port back", () => {
    const old = stored({ type: "NodePort", ports: [{ port: 80, nodePort: 30080 }] });
    const { spec, errors: found } = update(old, { ...structuredClone(old.spec), type: "ClusterIP" });
    expect(found).toEqual([]);
    expect(spec.ports![0]!.nodePort).toBeUndefined();
    expect(spec.externalTrafficPolicy).toBeUndefined();
  });
  test("to ExternalName give the address back", () => {
    const old = stored({ ports: [port] });
    expect(update(old, { ...structuredClone(old.spec), type: "ExternalName", externalName: "example.com" })).toMatchObject({ errors: [], spec: { type: "ExternalName" } });
  });
});

test.each([
  ["plain", { ports: [port], clusterIP: "10.43.0.1", selector: { b: "2", a: "1" } }, undefined, "web ClusterIP 10.43.0.1 <none> 80/TCP <unknown> a=1,b=2"],
  ["headless", { clusterIP: "None" }, undefined, "web ClusterIP None <none> <none> <unknown> <none>"],
  ["node port", { type: "NodePort", ports: [{ name: "a", port: 80, nodePort: 30080 }, { name: "b", port: 53, protocol: "UDP" }] }, undefined, "web NodePort <none> <none> 80:30080/TCP,53/UDP <unknown> <none>"],
  ["load balancer, waiting", { type: "LoadBalancer", ports: [port] }, undefined, "web LoadBalancer <none> <pending> 80/TCP <unknown> <none>"],
  ["load balancer", { type: "LoadBalancer", ports: [port], externalIPs: ["8.8.8.8"] }, [{ ip: "192.0.2.2" }, { ip: "192.0.2.1" }], "web LoadBalancer <none> 192.0.2.1,192.0.2.2,8.8.8.8 80/TCP <unknown> <none>"],
  ["external name", { type: "ExternalName", externalName: "example.com" }, undefined, "web ExternalName <none> example.com <none> <unknown> <none>"],
] as const)("columns: %s", (_, spec, ingress, expected) => {
  const service = made(spec as unknown as ServiceSpec);
  if (ingress) service.status = { loadBalancer: { ingress: [...ingress] } };
  expect(services.columns.map((column) => column.value(service, 0)).join(" ")).toBe(expected);
});

test("addresses that are written in other ways than they should be", () => {
  const spec: ServiceSpec = { type: "LoadBalancer", ports: [port], externalIPs: ["010.1.1.1", "::ffff:1.2.3.4"], loadBalancerSourceRanges: ["10.0.0.1/8"] };
  expect(errors(spec)).toEqual([
    "spec.externalIPs[0]: Invalid value: \"010.1.1.1\": must not have leading 0s",
    "spec.externalIPs[1]: Invalid value: \"::ffff:1.2.3.4\": must not be an IPv4-mapped IPv6 address",
    "spec.LoadBalancerSourceRanges[0]: Invalid value: \"10.0.0.1/8\": must not have bits set beyond the prefix length",
  ]);
  // What is only passed on is accepted, with a warning.
  expect(services.strategy.warnings!(made({ type: "LoadBalancer", ports: [port], loadBalancerIP: "010.1.1.1" }))).toEqual(["spec.loadBalancerIP: non-standard IP address \"010.1.1.1\" is invalid: use \"10.1.1.1\""]);
});

test.each([
  ["of another type", "ClusterIP", { ip: "1.2.3.4", ipMode: "VIP" }, ["status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is 'LoadBalancer'"]],
  ["with an address", "LoadBalancer", { ip: "1.2.3.4", ipMode: "VIP" }, []],
  ["with a name", "LoadBalancer", { hostname: "lb.example.com" }, []],
  ["with an address it had before", "LoadBalancer", { ip: "01.2.3.4", ipMode: "Proxy" }, []],
  ["with an address of no form", "LoadBalancer", { ip: "1.2.3", ipMode: "VIP" }, ["status.loadBalancer.ingress[0].ip: Invalid value: \"1.2.3\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]],
  ["with a mode alone, and an address for a name", "LoadBalancer", { ipMode: "VIP", hostname: "1.2.3.4" }, [
    "status.loadBalancer.ingress[0].ipMode: Forbidden: may not be specified when `ip` is not set", "status.loadBalancer.ingress[0].hostname: Invalid value: \"1.2.3.4\": must be a DNS name, not an IP address",
  ]],
] as const)("the status of a service %s", (_, type, ingress, expected) => {
  const service = { ...made({ type, ports: [port] }), status: { loadBalancer: { ingress: [ingress] } } };
  const old = { ...service, status: { loadBalancer: { ingress: [{ ip: "01.2.3.4" }] } } };
  expect(services.strategy.validateStatusUpdate!(service, old).map(render)).toEqual([...expected]);
});
