import type { Answer } from "dns-packet";
import { parseIpv4 } from "../../src/base/cidr.ts";
import type { EndpointRecord, RecordSource } from "./records.ts";

export interface Question {
  name: string;
  type: string;
}

/** `undefined` from `resolve` means: not ours, ask upstream. */
export interface Resolution {
  rcode: "NOERROR" | "NXDOMAIN";
  answers: Answer[];
  additionals: Answer[];
}

/** Seconds. As short as CoreDNS' default for cluster names: a Service's address may change any time. */
const ttl = 5;
const schemaVersion = "1.1.0";
const nxdomain: Resolution = { rcode: "NXDOMAIN", answers: [], additionals: [] };
const found = (answers: Answer[], additionals: Answer[] = []): Resolution => ({ rcode: "NOERROR", answers, additionals });

/**
 * Answers for the cluster's names. Pure but for `source`.
 * Source: https://github.com/kubernetes/dns/blob/master/docs/specification.md, version 1.1.0.
 */
export function resolve(question: Question, domain: string, source: RecordSource): Resolution | undefined {
  const name = question.name.toLowerCase().replace(/\.$/, "");
  if (name.endsWith(".in-addr.arpa")) return resolveReverse(question, name, domain, source);
  if (name === domain) return found([]);
  if (!name.endsWith(`.${domain}`)) return undefined;
  const labels = name.slice(0, -domain.length - 1).split(".");
  if (labels.length === 1 && labels[0] === "dns-version") return found(question.type === "TXT" ? [{ type: "TXT", name: question.name, ttl, data: schemaVersion }] : []);
  const kind = labels.pop();
  if (kind === "svc") return resolveService(question, labels, domain, source);
  if (kind === "pod") return resolvePod(question, labels, source);
  return nxdomain;
}

/** `[_port._proto | hostname].service.namespace` in front of `.svc`. */
function resolveService(question: Question, labels: string[], domain: string, source: RecordSource): Resolution {
  const namespace = labels.pop();
  const name = labels.pop();
  if (!namespace) return found([]);
  if (!name) return source.hasNamespace(namespace) ? found([]) : nxdomain;
  const service = source.service(namespace, name);
  if (!service) return nxdomain;
  const { spec } = service;
  const fullName = `${name}.${namespace}.svc.${domain}`;
  if (spec.type === "ExternalName") return labels.length ? nxdomain : found([{ type: "CNAME", name: question.name, ttl, data: spec.externalName! }]);
  if (labels.length === 2 && labels.every((label) => label.startsWith("_"))) return resolvePort(question, { port: labels[0]!.slice(1), protocol: labels[1]!.slice(1) }, fullName, spec, source.endpoints(namespace, name));
  if (spec.clusterIP !== "None") return labels.length || !spec.clusterIP ? nxdomain : addresses(question, [spec.clusterIP]);
  const endpoints = source.endpoints(namespace, name);
  if (labels.length === 0) return endpoints.length ? addresses(question, endpoints.map(({ ip }) => ip)) : nxdomain;
  const chosen = endpoints.filter((endpoint) => labels.length === 1 && hostLabel(endpoint) === labels[0]);
  return chosen.length ? addresses(question, chosen.map(({ ip }) => ip)) : nxdomain;
}

function resolvePort(question: Question, wanted: { port: string; protocol: string }, fullName: string, spec: { clusterIP?: string; ports?: readonly { name?: string; protocol?: string; port: number }[] }, endpoints: EndpointRecord[]): Resolution {
  const matches = (port: { name?: string; protocol?: string }): boolean => port.name === wanted.port && (port.protocol ?? "TCP").toLowerCase() === wanted.protocol;
  const targets = spec.clusterIP !== "None"
    ? (spec.ports ?? []).filter(matches).map((port) => ({ target: fullName, ip: spec.clusterIP!, port: port.port }))
    : endpoints.flatMap((endpoint) => endpoint.ports.filter(matches).map((port) => ({ target: `${hostLabel(endpoint)}.${fullName}`, ip: endpoint.ip, port: port.port })));
  if (!targets.length) return nxdomain;
  if (question.type !== "SRV" && question.type !== "ANY") return found([]);
  const weight = Math.max(1, Math.floor(100 / targets.length));
  return found(
    targets.map(({ target, port }) => ({ type: "SRV", name: question.name, ttl, data: { priority: 0, weight, port, target } })),
    targets.map(({ target, ip }) => ({ type: "A", name: target, ttl, data: ip })),
  );
}

/** `10-42-0-7.namespace` in front of `.pod`: the address is in the name. */
function resolvePod(question: Question, labels: string[], source: RecordSource): Resolution {
  const [dashed = "", namespace = ""] = labels;
  const ip = dashed.replaceAll("-", ".");
  return labels.length === 2 && parseIpv4(ip) !== undefined && source.hasNamespace(namespace) ? addresses(question, [ip]) : nxdomain;
}

function resolveReverse(question: Question, name: string, domain: string, source: RecordSource): Resolution | undefined {
  const ip = name.slice(0, -".in-addr.arpa".length).split(".").reverse().join(".");
  const target = source.reverse(ip);
  if (!target) return undefined;
  return found(question.type === "PTR" || question.type === "ANY" ? [{ type: "PTR", name: question.name, ttl, data: `${target}.svc.${domain}` }] : []);
}

function addresses(question: Question, ips: readonly string[]): Resolution {
  return found(question.type === "A" || question.type === "ANY" ? [...new Set(ips)].map((ip) => ({ type: "A", name: question.name, ttl, data: ip })) : []);
}

/** An endpoint without a hostname is called by its address, as CoreDNS does. */
const hostLabel = ({ hostname, ip }: EndpointRecord): string => hostname ?? ip.replaceAll(".", "-");
