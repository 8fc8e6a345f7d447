import type { Frozen } from "../../src/apimachinery/meta.ts";
import { keyOf } from "../../src/apimachinery/meta.ts";
import type { Secret, Service } from "../../src/apis/generated/core/v1.ts";
import type { EndpointSlice } from "../../src/apis/generated/discovery/v1.ts";
import type { HTTPIngressPath, Ingress, IngressBackend, IngressClass } from "../../src/apis/generated/networking/v1.ts";
import { backendOf, type Backend } from "./backend.ts";
import { keyPairOf, type KeyPair } from "./key-pair.ts";

/** What IngressClasses name as their controller to be served here. */
export const ingressController = "skiff.io/ingress";
const classAnnotation = "kubernetes.io/ingress.class", defaultClassAnnotation = "ingressclass.kubernetes.io/is-default-class";
/** `"true"` sends clients of plain HTTP to HTTPS. */
const redirectAnnotation = "ingress.skiff.io/ssl-redirect";

/** One path of a host: this very path, or it and all below it, element by element. */
export interface Route {
  match: "exact" | "prefix";
  /** Begins with a slash; a prefix ends with none but that of the root. */
  path: string;
  backend: Backend;
}

/** What is served for one host. */
export interface Site {
  /** A name, `*.` and a name for one label in its place, or empty for hosts that nothing else serves. */
  host: string;
  /** A path and its match occur once. */
  routes: Route[];
  /** `namespace/name` of a Secret in `Routes.certificates`; without it the certificate of last resort is shown. */
  certificate?: string;
  redirectToHttps: boolean;
}

/** Something in an Ingress that can't be done, for its author. */
export interface Problem {
  ingress: Frozen<Ingress>;
  /** Without a certificate of its own it is served all the same, with one that no client trusts. */
  reason: "NotServed" | "NoCertificate";
  message: string;
}

export interface Routes {
  sites: Site[];
  certificates: ReadonlyMap<string, KeyPair>;
  /** The Ingresses that are served, which show the nodes' addresses. */
  served: Frozen<Ingress>[];
  problems: Problem[];
}

export interface RouteFacts {
  classes: readonly Frozen<IngressClass>[];
  ingresses: readonly Frozen<Ingress>[];
  service(key: string): Frozen<Service> | undefined;
  slices(service: Frozen<Service>): readonly Frozen<EndpointSlice>[];
  secret(key: string): Frozen<Secret> | undefined;
}

/** What a proxy has to do for all Ingresses of our classes. Where two claim the same path, the older one has it. Source: https://kubernetes.io/docs/concepts/services-networking/ingress/ */
export function routesOf({ classes, ingresses, service, slices, secret }: RouteFacts): Routes {
  const served = ingresses.filter((ingress) => isServed(ingress, classes)).toSorted(byAge);
  const sites = new Map<string, SiteBuilder>();
  const certificates = new Map<string, KeyPair>();
  const problems: Problem[] = [];
  const siteOf = (host: string): SiteBuilder => sites.get(host) ?? sites.set(host, { host, exact: new Map(), prefix: new Map(), redirectToHttps: false }).get(host)!;

  for (const ingress of served) {
    const told = new Set<string>();
    const complain = (message: string, reason: Problem["reason"] = "NotServed"): void => {
      if (!told.has(message)) problems.push({ ingress, reason, message });
      told.add(message);
    };
    const namespace = ingress.metadata.namespace!;
    const resolve = (backend: Frozen<IngressBackend>): Backend => {
      const found = backendOf(namespace, backend, { service, slices });
      if (found.kind === "none" && found.reason) complain(found.reason);
      return found;
    };
    const { rules = [], defaultBackend, tls = [] } = ingress.spec;
    const hosts = [...new Set(rules.map(({ host = "" }) => host))];
    const redirect = ingress.metadata.annotations?.[redirectAnnotation] === "true" && tls.length > 0;

    for (const { host = "", http } of rules) {
      const site = siteOf(host);
      site.redirectToHttps ||= redirect;
      for (const one of http?.paths ?? []) addRoute(site, one, resolve(one.backend), complain);
    }
    if (defaultBackend) for (const host of new Set([...hosts, ""])) setIfAbsent(siteOf(host).prefix, "/", resolve(defaultBackend));
    for (const { hosts: covered = [], secretName } of tls) {
      if (!secretName) continue;
      const key = `${namespace}/${secretName}`;
      const pair = certificates.get(key) ?? keyPairOf(secret(key), key);
      if (typeof pair === "string") {
        complain(pair, "NoCertificate");
        continue;
      }
      certificates.set(key, pair);
      for (const host of covered.length > 0 ? covered : hosts) siteOf(host).certificate ??= key;
    }
  }
  return { sites: [...sites.values()].map((site) => finished(site, sites)).filter(({ routes }) => routes.length > 0), certificates, served, problems };
}

interface SiteBuilder {
  host: string;
  exact: Map<string, Backend>;
  prefix: Map<string, Backend>;
  certificate?: string;
  redirectToHttps: boolean;
}

/** Those without a class are ours when their class would have been by default, had it been there in time. */
function isServed({ spec, metadata }: Frozen<Ingress>, classes: readonly Frozen<IngressClass>[]): boolean {
  const name = spec.ingressClassName ?? metadata.annotations?.[classAnnotation];
  const ours = classes.filter(({ spec: { controller } }) => controller === ingressController);
  if (metadata.deletionTimestamp) return false;
  return name === undefined ? ours.some(({ metadata: { annotations } }) => annotations?.[defaultClassAnnotation] === "true") : ours.some((one) => one.metadata.name === name);
}

const byAge = (a: Frozen<Ingress>, b: Frozen<Ingress>): number =>
  (a.metadata.creationTimestamp ?? "").localeCompare(b.metadata.creationTimestamp ?? "") || keyOf(a).localeCompare(keyOf(b));

function addRoute(site: SiteBuilder, { path = "", pathType }: Frozen<HTTPIngressPath>, backend: Backend, complain: (message: string) => void): void {
  // What a proxy's configuration can't hold, no client can ask for unescaped either.
  if (/\p{Cc}/u.test(path)) return complain(`the path ${JSON.stringify(path)} has control characters and is not served`);
  if (pathType === "Exact") return setIfAbsent(site.exact, path || "/", backend);
  setIfAbsent(site.prefix, path.replace(/\/+$/, "") || "/", backend);
}

function setIfAbsent(routes: Map<string, Backend>, path: string, backend: Backend): void {
  if (!routes.has(path)) routes.set(path, backend);
}

/** With a certificate for all names of its domain, where it has none of its own. */
function finished({ host, exact, prefix, certificate, redirectToHttps }: SiteBuilder, sites: ReadonlyMap<string, SiteBuilder>): Site {
  const own = certificate ?? sites.get(host.replace(/^[^.]+/, "*"))?.certificate;
  const all = (match: Route["match"], routes: Map<string, Backend>): Route[] => [...routes].map(([path, backend]) => ({ match, path, backend }));
  const routes = [...all("exact", exact), ...all("prefix", prefix)];
  return { host, routes, ...(own ? { certificate: own } : {}), redirectToHttps: redirectToHttps && own !== undefined };
}

