import { isIP } from "node:net";
import { fullForm } from "./reverse-names.ts";
import type { NameServer } from "./exchange.ts";

/** What an administrator may say about the cluster's DNS, in the ConfigMap kube-system/skiff-dns. */
export interface DnsConfiguration {
  /** Instead of the node's own name servers. */
  upstreams?: readonly NameServer[];
  /** Name servers for a domain and all below it. */
  stubDomains: ReadonlyMap<string, readonly NameServer[]>;
  /** Addresses by name, and names by address in full form. */
  hosts: ReadonlyMap<string, readonly string[]>;
  namesOfHosts: ReadonlyMap<string, string>;
}

export const defaultConfiguration: DnsConfiguration = { stubDomains: new Map(), hosts: new Map(), namesOfHosts: new Map() };

/**
 * Reads the ConfigMap's data. The first two keys are those of kube-dns:
 *
 *     upstreamNameservers: '["192.0.2.53", "[2001:db8::53]:5353"]'
 *     stubDomains: '{"factory.example": ["10.1.0.53"]}'
 *     hosts: |
 *       10.1.0.7  plc-7 plc-7.factory.example
 *
 * Throws an Error whose message names the key and the mistake.
 * Source: https://kubernetes.io/docs/tasks/administer-cluster/dns-custom-nameservers/, of the time before CoreDNS.
 */
export function parseConfiguration(data: Readonly<Record<string, string>>): DnsConfiguration {
  for (const key of Object.keys(data)) if (!["upstreamNameservers", "stubDomains", "hosts"].includes(key)) throw new Error(`${key} is no setting: there are upstreamNameservers, stubDomains and hosts`);
  const upstreams = data.upstreamNameservers?.trim() ? nameServers(parseJson("upstreamNameservers", data.upstreamNameservers), "upstreamNameservers") : undefined;
  const stubs = data.stubDomains?.trim() ? parseJson("stubDomains", data.stubDomains) : {};
  if (typeof stubs !== "object" || stubs === null || Array.isArray(stubs)) throw new Error('stubDomains must be a JSON object such as {"example.org": ["192.0.2.53"]}');
  const stubDomains = new Map(Object.entries(stubs).map(([domain, servers]) => [domain.toLowerCase().replace(/^\.|\.$/g, ""), nameServers(servers, `stubDomains of ${domain}`)]));
  return { ...(upstreams ? { upstreams } : {}), stubDomains, ...parseHosts(data.hosts ?? "") };
}

function parseJson(key: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${key} must be JSON: ${(error as Error).message}`, { cause: error });
  }
}

function nameServers(value: unknown, what: string): NameServer[] {
  if (!Array.isArray(value) || !value.length) throw new Error(`${what} must be a list of addresses such as ["192.0.2.53"]`);
  return value.map((text) => {
    const server = typeof text === "string" ? parseNameServer(text) : undefined;
    if (!server) throw new Error(`${what}: ${JSON.stringify(text)} must be an IP address, with or without a port`);
    return server;
  });
}

/** `192.0.2.53`, `192.0.2.53:5353`, `2001:db8::53` or `[2001:db8::53]:5353`. */
export function parseNameServer(text: string): NameServer | undefined {
  const [, bracketed, plain, portText] = /^(?:\[(.+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const address = isIP(text.split("%")[0]!) ? text : bracketed ?? plain ?? "";
  const port = isIP(text.split("%")[0]!) || portText === undefined ? 53 : Number(portText);
  return isIP(address.split("%")[0]!) && port > 0 && port < 65536 ? { address, port } : undefined;
}

function parseHosts(text: string): Pick<DnsConfiguration, "hosts" | "namesOfHosts"> {
  const hosts = new Map<string, string[]>(), namesOfHosts = new Map<string, string>();
  for (const [index, line] of text.split("\n").entries()) {
    const [ip, ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
    if (!ip) continue;
    if (!isIP(ip) || !names.length) throw new Error(`hosts, line ${index + 1}: ${JSON.stringify(line.trim())} must be an IP address and names`);
    for (const name of names.map((one) => one.toLowerCase().replace(/\.$/, ""))) hosts.set(name, [...(hosts.get(name) ?? []), ip]);
    if (!namesOfHosts.has(fullForm(ip))) namesOfHosts.set(fullForm(ip), names[0]!.toLowerCase().replace(/\.$/, ""));
  }
  return { hosts, namesOfHosts };
}
