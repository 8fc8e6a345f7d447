import { expect, test } from "bun:test";
import { render } from "../../apimachinery/field-errors.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import { made, type Change } from "../testing/made.ts";
import { ingresses } from "./ingress.ts";
import { ingressclasses } from "./ingressclass.ts";
import { ipaddresses } from "./ipaddress.ts";
import { networkpolicies } from "./networkpolicy.ts";
import { servicecidrs } from "./servicecidr.ts";

test.each([
  ["an ingress", ingresses, () => undefined, []],
  ["an ingress to nowhere", ingresses, (o) => { o.spec = {}; }, ["spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"]],
  ["a path without a type", ingresses, (o) => { o.spec.rules = [{ http: { paths: [{ backend: { service: { name: "a", port: { number: 80 } } } }] } }]; }, ["spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified"]],
  ["a path that climbs", ingresses, (o) => { o.spec.rules = [{ http: { paths: [{ pathType: "Exact", path: "/a/../b/..", backend: { service: { name: "a", port: { number: 80 } } } }] } }]; }, ["spec.rules[0].http.paths[0].path: Invalid value: \"/a/../b/..\": must not contain '/../'", "spec.rules[0].http.paths[0].path: Invalid value: \"/a/../b/..\": cannot end with '/..'"]],
  ["a backend without a port", ingresses, (o) => { o.spec.defaultBackend.service.port = {}; }, ["spec.defaultBackend: Required value: port name or number is required"]],
  ["two backends", ingresses, (o) => { o.spec.defaultBackend.resource = { kind: "Bucket", name: "b" }; }, ["spec.defaultBackend: Invalid value: \"\": cannot set both resource and service backends"]],
  ["a host that is an address", ingresses, (o) => { o.spec.rules = [{ host: "1.2.3.4" }]; }, ["spec.rules[0].host: Invalid value: \"1.2.3.4\": must be a DNS name, not an IP address"]],
  ["a class said twice", ingresses, (o) => { o.metadata.annotations = { "kubernetes.io/ingress.class": "a" }; o.spec.ingressClassName = "b"; }, ["annotations.kubernetes.io/ingress.class: Invalid value: \"a\": must match `ingressClassName` when both are specified"]],
  ["a controller without a path", ingressclasses, (o) => { o.spec.controller = "x"; }, ["spec.controller: Invalid value: \"x\": must be a domain-prefixed path (such as \"acme.io/foo\")"]],
  ["parameters in a namespace", ingressclasses, (o) => { o.spec.parameters = { kind: "Config", name: "a", scope: "Namespace" }; }, ["spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'"]],
  ["a policy's ports", networkpolicies, (o) => { o.spec.ingress = [{ ports: [{ port: 5, endPort: 3 }, { port: "web", endPort: 3 }, { endPort: 3 }] }]; }, ["spec.ingress[0].ports[0].endPort: Invalid value: 5: must be greater than or equal to `port`", "spec.ingress[0].ports[1].endPort: Invalid value: 3: may not be specified when `port` is non-numeric", "spec.ingress[0].ports[2].endPort: Invalid value: 3: may not be specified when `port` is not specified"]],
  ["a policy's peers", networkpolicies, (o) => { o.spec.egress = [{ to: [{}, { podSelector: {}, ipBlock: { cidr: "10.0.0.0/8" } }] }]; }, ["spec.egress[0].to[0]: Required value: must specify a peer", "spec.egress[0].to[1]: Forbidden: may not specify both ipBlock and another peer"]],
  ["a policy's networks", networkpolicies, (o) => { o.spec.egress = [{ to: [{ ipBlock: { cidr: "10.0.0.1/8", except: ["11.0.0.0/16", "10.00.0.0/16"] } }] }]; }, ["spec.egress[0].to[0].ipBlock.cidr: Invalid value: \"10.0.0.1/8\": must not have bits set beyond the prefix length", "spec.egress[0].to[0].ipBlock.except[0]: Invalid value: \"11.0.0.0/16\": must be a strict subset of `cidr`", "spec.egress[0].to[0].ipBlock.except[1]: Invalid value: \"10.00.0.0/16\": must not have leading 0s in IP or prefix length"]],
  ["a range of nothing", servicecidrs, (o) => { o.spec = {}; }, ["spec.cidrs: Required value: at least one CIDR required"]],
  ["ranges of one family", servicecidrs, (o) => { o.spec.cidrs = ["10.1.0.0/24", "10.2.0.0/24"]; }, ["spec.cidrs: Invalid value: [\"10.1.0.0/24\",\"10.2.0.0/24\"]: may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"]],
  ["a range not in canonical form", servicecidrs, (o) => { o.spec.cidrs = ["10.1.0.1/24", "2001:DB8::/64"]; }, ["spec.cidrs[0]: Invalid value: \"10.1.0.1/24\": must not have bits set beyond the prefix length", "spec.cidrs[1]: Invalid value: \"2001:DB8::/64\": must be in canonical form (\"2001:db8::/64\")"]],
  ["an address of nobody", ipaddresses, (o) => { o.spec = {}; }, ["spec.parentRef: Required value"]],
  ["an address of something unnamed", ipaddresses, (o) => { o.spec.parentRef = { group: "apps" }; }, ["spec.parentRef.resource: Required value", "spec.parentRef.name: Required value"]],
] as [string, AnyResource, Change, string[]][])("validation: %s", (_, card, change, expected) => expect(card.strategy.validate!(made(card, change)).map(render)).toEqual(expected));

test.each([
  [networkpolicies, (o) => { o.spec.egress = [{ ports: [{ port: 53 }] }]; }, "spec", {"podSelector":{},"egress":[{"ports":[{"port":53,"protocol":"TCP"}]}],"policyTypes":["Ingress","Egress"]}],
  [networkpolicies, () => undefined, "spec.policyTypes", ["Ingress"]],
  [ingressclasses, (o) => { o.spec.parameters = { kind: "Config", name: "a" }; }, "spec.parameters.scope", "Cluster"],
] as [AnyResource, Change, string, unknown][])("defaults %#", (card, change, path, expected) => {
  expect(path.split(".").reduce((value, field) => value?.[field], made(card, change))).toEqual(expected);
});

test.each([
  [ingresses, (o) => { o.spec.rules = ["a", "b", "c", "d"].map((host) => ({ host })); o.spec.tls = [{ hosts: ["a"] }]; o.spec.ingressClassName = "edge"; }, ["example", "edge", "a,b,c + 1 more...", "", "80, 443", "<unknown>"]],
  [ingressclasses, (o) => { o.metadata.annotations = { "ingressclass.kubernetes.io/is-default-class": "true" }; o.spec.parameters = { apiGroup: "example.com", kind: "Config", name: "a" }; }, ["example (default)", "example.com/ingress-controller", "Config.example.com/a", "<unknown>"]],
  [networkpolicies, (o) => { o.spec.podSelector = { matchLabels: { app: "web" } }; }, ["example", "app=web", "<unknown>"]],
  [servicecidrs, (o) => { o.spec.cidrs = ["10.1.0.0/24", "2001:db8::/64"]; }, ["example", "10.1.0.0/24,2001:db8::/64", "<unknown>"]],
  [ipaddresses, (o) => { o.metadata.name = "192.0.2.1"; }, ["192.0.2.1", "services/default/example"]],
] as [AnyResource, Change, unknown[]][])("columns %#", (card, change, expected) => expect<unknown[]>(card.columns.map((column) => column.value(made(card, change), 0))).toEqual(expected));
