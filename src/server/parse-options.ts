import { hostname } from "node:os";
import { cidrContains, cidrsOverlap, cidrSize, formatIpv4, parseCidr, parseIpv4, type Cidr } from "../base/cidr.ts";
import { parseAuditOptions } from "./audit-options.ts";
import { parseFeatureGates } from "./feature-gate-options.ts";
import { parseIdentityOptions } from "./identity-options.ts";
import { disableable, type NodeOptions, type ServerOptions, type SettingValues } from "./options.ts";
import { parseProtectionOptions } from "./protection-options.ts";
import { parseSchedulerOptions } from "./scheduler-options.ts";
import { UsageError } from "./settings.ts";

/** What is asked of the machine where a setting is left open. */
export interface Host {
  defaultAddress(): string | undefined;
  hostname?(): string;
}

/** Checks the settings and works out what was left open. Throws `UsageError` for the first mistake. */
export function parseServerOptions(values: SettingValues, host: Host): ServerOptions {
  const text = (name: string): string => String(values[name]);
  const optional = (name: string): string | undefined => (values[name] === undefined || values[name] === "" ? undefined : String(values[name]));
  const clusterCidr = network(text("cluster-cidr"), "--cluster-cidr", 24);
  const serviceCidr = network(text("service-cidr"), "--service-cidr", 28);
  if (cidrsOverlap(clusterCidr, serviceCidr)) throw new UsageError(`--cluster-cidr ${text("cluster-cidr")} and --service-cidr ${text("service-cidr")} overlap: choose two networks apart`);
  const clusterDns = optional("cluster-dns") ?? formatIpv4(serviceCidr.base + 10);
  if (!cidrContains(serviceCidr, address(clusterDns, "--cluster-dns"))) throw new UsageError(`--cluster-dns ${clusterDns} must be inside --service-cidr ${text("service-cidr")}`);
  const node = parseNodeOptions(values, host);
  const advertiseAddress = optional("advertise-address");
  if (advertiseAddress) reachable(advertiseAddress, "--advertise-address");
  return {
    ...node, writeKubeconfig: absolute(text("write-kubeconfig"), "--write-kubeconfig"),
    writeKubeconfigMode: mode(text("write-kubeconfig-mode")),
    httpsListenPort: port(values["https-listen-port"], "--https-listen-port"),
    ...(advertiseAddress ? { advertiseAddress } : {}), tlsSan: (values["tls-san"] as string[] | undefined) ?? [],
    ...(optional("token") ? { token: optional("token") } : {}),
    clusterCidr: text("cluster-cidr"), serviceCidr: text("service-cidr"), nodePortRange: portRange(text("service-node-port-range")), clusterDns, clusterDomain: text("cluster-domain"),
    disable: ((values["disable"] as string[] | undefined) ?? []).flatMap((names) => names.split(",")).map((name) => oneOf(name.trim(), disableable, "--disable")),
    featureGates: parseFeatureGates(values), identity: parseIdentityOptions(values), audit: parseAuditOptions(values), protection: parseProtectionOptions(values), scheduler: parseSchedulerOptions(values),
    disableAgent: values["disable-agent"] === true,
  };
}

/** The part that a machine needs to be a node. Throws `UsageError` for the first mistake. */
export function parseNodeOptions(values: SettingValues, host: Host): NodeOptions {
  const text = (name: string): string => String(values[name]);
  const optional = (name: string): string | undefined => (values[name] === undefined || values[name] === "" ? undefined : String(values[name]));
  const nodeName = (optional("node-name") ?? (host.hostname ?? hostname)()).toLowerCase();
  if (!/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(nodeName)) throw new UsageError(`the node name ${JSON.stringify(nodeName)} must be lower-case letters, digits, "-" or ".": set one with --node-name`);
  const nodeIp = optional("node-ip") ?? host.defaultAddress();
  if (!nodeIp) throw new UsageError("this machine has no address but loopback: connect a network, or name one with --node-ip");
  address(nodeIp, "--node-ip");
  const runtime = optional("container-runtime-endpoint")?.replace(/^unix:\/\//, "");
  return {
    dataDir: absolute(text("data-dir"), "--data-dir"), nodeName, nodeIp,
    nodeLabels: labels((values["node-label"] as string[] | undefined) ?? []), nodeTaints: ((values["node-taint"] as string[] | undefined) ?? []).map(taint),
    kubeletPort: port(values["kubelet-port"], "--kubelet-port"), ...(runtime ? { containerRuntimeEndpoint: runtime } : {}), podLogDir: absolute(text("pod-log-dir"), "--pod-log-dir"),
    bindAddress: text("bind-address"), front: oneOf(text("front"), ["bun", "node"], "--front"),
  };
}

function network(text: string, flag: string, smallest: number): Cidr {
  const cidr = parseCidr(text);
  if (!cidr) throw new UsageError(`${flag} must be an IPv4 network such as 10.42.0.0/16, not ${JSON.stringify(text)}`);
  if (cidr.prefix > smallest) throw new UsageError(`${flag} ${text} has room for ${cidrSize(cidr)} addresses only: take a /${smallest} or larger`);
  return cidr;
}

function address(text: string, flag: string): number {
  const parsed = parseIpv4(text);
  if (parsed === undefined) throw new UsageError(`${flag} must be an IPv4 address, not ${JSON.stringify(text)}`);
  return parsed;
}

/** An address that others can send to: Kubernetes refuses any other as the endpoint of its own Service. */
function reachable(text: string, flag: string): void {
  const first = address(text, flag) >>> 24;
  const reason = first === 0 ? "no address" : first === 127 ? "this machine's own loopback" : text.startsWith("169.254.") ? "link-local" : first >= 224 ? "not one machine's" : undefined;
  if (reason) throw new UsageError(`${flag} ${text} is ${reason}, and pods and nodes couldn't reach the API there: name an address of this machine's network, or leave the setting out`);
}

function absolute(path: string, flag: string): string {
  if (!path.startsWith("/")) throw new UsageError(`${flag} must be an absolute path, not ${JSON.stringify(path)}`);
  return path.length > 1 ? path.replace(/\/+$/, "") : path;
}

function port(value: unknown, flag: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 0 || number > 65535) throw new UsageError(`${flag} must be a port number from 0 to 65535, not ${JSON.stringify(value)}`);
  return number;
}

function portRange(text: string): { first: number; last: number } {
  const [first = NaN, last = NaN] = text.split("-").map(Number);
  if (!(first >= 1 && last <= 65535 && first <= last)) throw new UsageError(`--service-node-port-range must be two ports such as 30000-32767, not ${JSON.stringify(text)}`);
  return { first, last };
}

function mode(text: string): number {
  if (!/^0?[0-7]{3}$/.test(text)) throw new UsageError(`--write-kubeconfig-mode must be an octal file mode such as 0640, not ${JSON.stringify(text)}`);
  return Number.parseInt(text, 8);
}

function oneOf<T extends string>(text: string, allowed: readonly T[], flag: string): T {
  const found = allowed.find((value) => value === text);
  if (!found) throw new UsageError(`${flag} must be one of ${allowed.join(", ")}, not ${JSON.stringify(text)}`);
  return found;
}

function labels(items: readonly string[]): Record<string, string> {
  return Object.fromEntries(items.map((item) => {
    const [key = "", value = ""] = item.split(/=(.*)/s);
    if (!/^([a-z0-9.-]+\/)?[A-Za-z0-9][A-Za-z0-9._-]*$/.test(key)) throw new UsageError(`--node-label ${JSON.stringify(item)} must look like key=value`);
    return [key, value];
  }));
}

function taint(item: string): { key: string; value?: string; effect: string } {
  const match = /^([^=:]+)(?:=([^:]*))?:(NoSchedule|PreferNoSchedule|NoExecute)$/.exec(item);
  if (!match) throw new UsageError(`--node-taint ${JSON.stringify(item)} must look like key=value:NoSchedule`);
  return { key: match[1]!, ...(match[2] ? { value: match[2] } : {}), effect: match[3]! };
}
