import { expect, test } from "bun:test";
import type { Service } from "../../src/apis/generated/core/v1.ts";
import type { EndpointSlice } from "../../src/apis/generated/discovery/v1.ts";
import type { Ingress, IngressClass } from "../../src/apis/generated/networking/v1.ts";
import { nginxConfig } from "./nginx-config.ts";
import { ingressController, routesOf, type Routes } from "./routes.ts";

const ingressClass = (name: string, controller: string, isDefault = false): IngressClass => ({ metadata: { name, annotations: isDefault ? { "ingressclass.kubernetes.io/is-default-class": "true" } : {} }, spec: { controller } });
const classes = [ingressClass("skiff", ingressController, true), ingressClass("other", "example.com/other")];
const backend = (name: string, port: object = { number: 80 }): object => ({ service: { name, port } });
const ingress = (name: string, spec: object, metadata: object = {}): Ingress => ({ metadata: { name, namespace: "default", uid: name, ...metadata }, spec: { ingressClassName: "skiff", ...spec } }) as Ingress;
const rule = (host: string | undefined, ...paths: [path: string, to: string, pathType?: string][]): object => ({ ...(host ? { host } : {}), http: { paths: paths.map(([path, to, pathType = "Prefix"]) => ({ path, pathType, backend: backend(to) })) } });

const services: Record<string, Service> = {
  "default/web": { metadata: { name: "web" }, spec: { clusterIP: "10.43.0.5", ports: [{ port: 80, name: "http" }, { port: 443, name: "https" }] } },
  "default/six": { metadata: { name: "six" }, spec: { clusterIP: "fd00::5", ports: [{ port: 80 }] } },
  "default/headless": { metadata: { name: "headless" }, spec: { clusterIP: "None", ports: [{ port: 80, name: "http" }] } },
  "default/outside": { metadata: { name: "outside" }, spec: { type: "ExternalName", externalName: "example.com" } },
  "default/evil": { metadata: { name: "evil" }, spec: { type: "ExternalName", externalName: "a; return 200" } },
  "default/down": { metadata: { name: "down" }, spec: { clusterIP: "10.43.0.6", ports: [{ port: 80 }] } },
};
const ready = (...addresses: string[]): EndpointSlice[] => [{ metadata: { name: "s" }, addressType: "IPv4", ports: [{ name: "http", port: 8080 }, { name: "", port: 8080 }, { name: "https", port: 8443 }], endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })) }];
const plan = (...ingresses: Ingress[]): Routes => routesOf({
  classes, ingresses, service: (key) => services[key], secret: () => undefined, slices: ({ metadata: { name } }) => (name === "down" ? [] : ready("10.42.0.9", "10.42.0.8")),
});
/** `host match path -> servers`, a line for each route. */
const shown = ({ sites }: Routes): string[] => sites.flatMap(({ host, routes }) => routes.map(({ match, path, backend: to }) => `${host || "*"} ${match} ${path} -> ${to.kind === "addresses" ? to.servers.join(",") : to.kind === "name" ? `${to.scheme}://${to.name}:${to.port}` : "503"}`));

test.each<[what: string, ingresses: Ingress[], routes: string[]]>([
  ["a service by its own address", [ingress("a", { rules: [rule("a.test", ["/", "web"])] })], ["a.test prefix / -> 10.43.0.5:80"]],
  ["one of IPv6", [ingress("a", { rules: [rule("a.test", ["/", "six"])] })], ["a.test prefix / -> [fd00::5]:80"]],
  ["a headless one by its pods", [ingress("a", { rules: [rule("a.test", ["/", "headless"])] })], ["a.test prefix / -> 10.42.0.8:8080,10.42.0.9:8080"]],
  ["a name outside", [ingress("a", { rules: [rule("a.test", ["/", "outside"])] })], ["a.test prefix / -> http://example.com:80"]],
  ["what is no name is not connected to", [ingress("a", { rules: [rule("a.test", ["/", "evil"])] })], ["a.test prefix / -> 503"]],
  ["nothing ready", [ingress("a", { rules: [rule("a.test", ["/", "down"])] })], ["a.test prefix / -> 503"]],
  ["a slash at the end of a prefix means nothing", [ingress("a", { rules: [rule("a.test", ["/x/", "web"], ["/x", "down"], ["", "six", "ImplementationSpecific"])] })], ["a.test prefix /x -> 10.43.0.5:80", "a.test prefix / -> [fd00::5]:80"]],
  ["any host", [ingress("a", { rules: [rule(undefined, ["/x", "web", "Exact"])] })], ["* exact /x -> 10.43.0.5:80"]],
  ["the older has a path", [ingress("young", { rules: [rule("a.test", ["/", "down"])] }, { creationTimestamp: "2026-02-01T00:00:00Z" }), ingress("old", { rules: [rule("a.test", ["/", "web"])] }, { creationTimestamp: "2026-01-01T00:00:00Z" })], ["a.test prefix / -> 10.43.0.5:80"]],
  ["a default backend is that of its hosts, and of all that nothing else serves", [ingress("a", { defaultBackend: backend("six"), rules: [rule("a.test", ["/x", "web"])] })], ["a.test prefix /x -> 10.43.0.5:80", "a.test prefix / -> [fd00::5]:80", "* prefix / -> [fd00::5]:80"]],
  ["without a class, the default being ours", [ingress("a", { ingressClassName: undefined, rules: [rule("a.test", ["/", "web"])] })], ["a.test prefix / -> 10.43.0.5:80"]],
  ["by the annotation of old", [ingress("a", { ingressClassName: undefined, rules: [rule("a.test", ["/", "web"])] }, { annotations: { "kubernetes.io/ingress.class": "skiff" } })], ["a.test prefix / -> 10.43.0.5:80"]],
  ["of others' classes", [ingress("a", { ingressClassName: "other", rules: [rule("a.test", ["/", "web"])] }), ingress("b", { ingressClassName: undefined, rules: [rule("a.test", ["/", "web"])] }, { annotations: { "kubernetes.io/ingress.class": "nginx" } })], []],
  ["on its way out", [ingress("a", { rules: [rule("a.test", ["/", "web"])] }, { deletionTimestamp: "2026-01-01T00:00:00Z" })], []],
])("%s", (_, ingresses, routes) => expect(shown(plan(...ingresses))).toEqual(routes));

test("TLS towards the pods where the port says so", () => {
  const spec = { rules: [{ host: "a.test", http: { paths: [{ path: "/", pathType: "Prefix", backend: backend("web", { name: "https" }) }] } }] };
  expect(plan(ingress("a", spec)).sites[0]!.routes[0]!.backend).toEqual({ kind: "addresses", scheme: "https", servers: ["10.43.0.5:443"] });
});

test("what can't be done is said once", () => {
  const { problems } = plan(ingress("a", { tls: [{ hosts: ["a.test"], secretName: "none" }], rules: [rule("a.test", ["/a", "gone"], ["/b", "gone"], ["/c\n", "web"]), { host: "b.test", http: { paths: [{ path: "/", pathType: "Prefix", backend: { resource: { kind: "Bucket", name: "b" } } }] } }] }));
  expect(problems.map(({ reason }) => reason)).toEqual(["NotServed", "NotServed", "NotServed", "NoCertificate"]);
  expect(problems.map(({ message }) => message)).toEqual([
    "there is no service gone in the namespace default", 'the path "/c\\n" has control characters and is not served', "a backend that is a Bucket is not supported: name a service", "there is no secret default/none: a certificate of our own is shown instead",
  ]);
});

test("the configuration: whole elements of a path, one label for a wildcard, and nothing that breaks out of its quotes", () => {
  const config = nginxConfig(plan(ingress("a", { rules: [rule("*.a.test", ["/x", "web"], ['/";}', "web", "Exact"])] })), { directory: "/run/x", httpPort: 80, httpsPort: 443, ipv6: true, user: "nobody nogroup", workers: 2, resolvers: ["10.43.0.10", "fd00::a"] }, 7);
  for (const line of ["server_name ~^[^.]+\\.a\\.test$;", 'location = "/x" { proxy_pass http://servers_0; }', 'location ^~ "/x/" { proxy_pass http://servers_0; }', 'location = "/\\";}" { proxy_pass http://servers_0; }', "location / { return 404; }", "listen [::]:443 ssl http2;", "listen [::]:80 default_server ipv6only=on;", 'return 200 "7\\n";', "resolver 10.43.0.10 [fd00::a];"]) expect(config).toContain(line);
});
