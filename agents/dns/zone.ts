import type { Frozen } from "../../src/apimachinery/meta.ts";
import type { ServiceSpec } from "../../src/apis/generated/core/v1.ts";
import { isIP, isIPv4, isIPv6 } from "node:net";
import { rcodes, types } from "./message.ts";
import type { Resource, Sections } from "./message-writer.ts";
import type { EndpointRecord, RecordSource } from "./records.ts";
import { addressOfReverseName } from "./reverse-names.ts";

export interface Question {
  /** In lower case, without the dot at the end. */
  name: string;
  /** As a number; see `types`. */
  type: number;
}

/** What the cluster's names are made from. */
export interface Zone {
  /** `cluster.local` */
  domain: string;
  records: RecordSource;
  /** Addresses of pods and Services: nobody else can name them. */
  isClusterAddress(ip: string): boolean;
}

/** `undefined` from `resolve` means: not ours, ask upstream. */
export interface Resolution {
  rcode: number;
  answers: readonly Resource[];
  additionals: readonly Resource[];
  /** The name of an ExternalName Service is another name for this one, which is to be resolved as well. */
  alias?: string;
}

/** Seconds. As short as CoreDNS' default for cluster names: a Service's address may change any time. */
const ttl = 5;
const schemaVersion = "1.1.0";
const nxdomain: Resolution = { rcode: rcodes.NXDOMAIN, answers: [], additionals: [] };
const found = (answers: readonly Resource[], additionals: readonly Resource[] = []): Resolution => ({ rcode: rcodes.NOERROR, answers, additionals });
const nodata = found([]);

/**
 * Answers for the cluster's names. Pure but for the zone's records.
 * Source: https://github.com/kubernetes/dns/blob/master/docs/specification.md, version 1.1.0.
 */
export function resolve(question: Question, zone: Zone): Resolution | undefined {
  const { name } = question;
  const { domain } = zone;
  if (name.endsWith(".arpa")) return resolveReverse(question, zone);
  if (name === domain) return question.type === types.SOA ? found([startOfAuthority(domain)]) : nodata;
  if (!name.endsWith(`.${domain}`)) return undefined;
  const labels = name.slice(0, -domain.length - 1).split(".");
  const kind = labels.pop();
  if (kind === "svc") return resolveService(question, labels, zone);
  if (kind === "pod") return resolvePod(question, labels, zone);
  if (kind === "dns-version" && !labels.length) return question.type === types.TXT ? found([{ type: "TXT", name, ttl, text: schemaVersion }]) : nodata;
  return nxdomain;
}

/** Says for how long a denial may be remembered. */
const startOfAuthority = (domain: string): Resource => ({
  type: "SOA", name: domain, ttl, primary: `ns.dns.${domain}`, contact: `hostmaster.${domain}`, serial: 1, refresh: 7200, retry: 1800, expire: 86400, minimum: ttl,
});

/** The sections of an answer from the zone. */
export function sectionsOf({ rcode, answers, additionals, alias }: Resolution, domain: string): Sections {
  return { rcode, authoritative: true, answers, additionals, authorities: answers.length || alias ? [] : [startOfAuthority(domain)] };
}

/** `[_port._proto | hostname].service.namespace` in front of `.svc`. */
function resolveService(question: Question, labels: string[], { domain, records }: Zone): Resolution {
  const namespace = labels.pop();
  const name = labels.pop();
  if (!namespace) return nodata;
  if (!name) return records.hasNamespace(namespace) ? nodata : nxdomain;
  const service = records.service(namespace, name);
  if (!service) return nxdomain;
  const { spec } = service;
  const fullName = `${name}.${namespace}.svc.${domain}`;
  if (spec.type === "ExternalName") {
    const alias = spec.externalName!.toLowerCase().replace(/\.$/, "");
    return labels.length ? nxdomain : { ...found([{ type: "CNAME", name: question.name, ttl, target: alias }]), alias };
  }
  const headless = spec.clusterIP === "None";
  const endpoints = headless ? records.endpoints(namespace, name) : [];
  if (labels.at(-1)?.startsWith("_")) return resolvePort(question, labels, { spec, endpoints, fullName });
  if (!headless) {
    const ips = spec.clusterIPs?.length ? spec.clusterIPs : spec.clusterIP ? [spec.clusterIP] : [];
    return labels.length || !ips.length ? nxdomain : addresses(question, ips);
  }
  if (labels.length > 1) return nxdomain;
  const chosen = labels.length ? endpoints.filter((endpoint) => hostLabel(endpoint) === labels[0]) : endpoints;
  return chosen.length ? addresses(question, chosen.map(({ ip }) => ip)) : nxdomain;
}

interface PortScope {
  spec: Frozen<ServiceSpec>;
  endpoints: readonly EndpointRecord[];
  fullName: string;
}

/** `_port._proto`, or `_proto` alone, which is there without records of its own. */
function resolvePort(question: Question, labels: readonly string[], { spec, endpoints, fullName }: PortScope): Resolution {
  const protocol = labels.at(-1)!.slice(1), name = labels.length === 2 && labels[0]!.startsWith("_") ? labels[0]!.slice(1) : undefined;
  if (labels.length > 2 || (labels.length === 2 && name === undefined)) return nxdomain;
  const matches = (port: { name?: string; protocol?: string }): boolean => (name === undefined || port.name === name) && (port.protocol ?? "TCP").toLowerCase() === protocol;
  const targets = spec.clusterIP === "None"
    ? endpoints.flatMap((endpoint) => endpoint.ports.filter(matches).map((port) => ({ target: `${hostLabel(endpoint)}.${fullName}`, ips: [endpoint.ip], port: port.port })))
    : (spec.ports ?? []).filter(matches).map((port) => ({ target: fullName, ips: spec.clusterIPs ?? [spec.clusterIP!], port: port.port }));
  if (!targets.length) return nxdomain;
  if (name === undefined || (question.type !== types.SRV && question.type !== types.ANY)) return nodata;
  const weight = Math.max(1, Math.floor(100 / targets.length));
  return found(
    targets.map(({ target, port }) => ({ type: "SRV", name: question.name, ttl, priority: 0, weight, port, target })),
    targets.flatMap(({ target, ips }) => ips.map((ip): Resource => ({ type: isIPv6(ip) ? "AAAA" : "A", name: target, ttl, address: ip }))),
  );
}

/** `10-42-0-7.namespace` or `fd42--7.namespace` in front of `.pod`: the address is in the name. */
function resolvePod(question: Question, labels: string[], { records }: Zone): Resolution {
  const [dashed = "", namespace = ""] = labels;
  if (!labels.length) return nodata;
  if (labels.length === 1) return records.hasNamespace(dashed) ? nodata : nxdomain;
  const ip = [dashed.replaceAll("-", "."), dashed.replaceAll("-", ":")].find((text) => isIP(text));
  return labels.length === 2 && ip && records.hasNamespace(namespace) ? addresses(question, [ip]) : nxdomain;
}

/** Of the cluster's own addresses those without a name have none anywhere: nobody waits for an upstream to say so. */
function resolveReverse(question: Question, { domain, records, isClusterAddress }: Zone): Resolution | undefined {
  const ip = addressOfReverseName(question.name);
  if (!ip) return undefined;
  const targets = records.reverse(ip);
  if (!targets.length) return isClusterAddress(ip) ? nxdomain : undefined;
  return question.type === types.PTR || question.type === types.ANY ? found(targets.map((target) => ({ type: "PTR", name: question.name, ttl, target: `${target}.svc.${domain}` }))) : nodata;
}

function addresses({ name, type }: Question, ips: readonly string[]): Resolution {
  const wanted = (ip: string): boolean => type === types.ANY || (isIPv4(ip) ? type === types.A : type === types.AAAA);
  return found([...new Set(ips)].filter(wanted).map((address) => ({ type: isIPv4(address) ? "A" : "AAAA", name, ttl, address })));
}

/** An endpoint without a hostname is called by its address, as CoreDNS does. */
const hostLabel = ({ hostname, ip }: EndpointRecord): string => hostname ?? ip.replace(/[.:]/g, "-");
