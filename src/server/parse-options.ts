import { hostname } from "node:os";
import { podNetworkModes } from "../base/pod-network.ts";
import { formatAddress, parseAddress } from "../apis/networking/addresses.ts";
import { parseDeviceSetting, type DeviceSetting } from "../apis/kubeletconfig/device-setting.ts";
import { parseKubeletArgs } from "../apis/kubeletconfig/kubelet-settings.ts";
import { parseAuditOptions } from "./audit-options.ts";
import { parseFeatureGates } from "./feature-gate-options.ts";
import { parseIdentityOptions } from "./identity-options.ts";
import { nodePortAddresses, oneOfEachFamily, parseNetworkOptions } from "./network-options.ts";
import { disableable, type NodeOptions, type ServerOptions, type SettingValues } from "./options.ts";
import { parseProtectionOptions } from "./protection-options.ts";
import { parseSchedulerOptions } from "./scheduler-options.ts";
import { UsageError } from "./settings.ts";

/** What is asked of the machine where a setting is left open. */
export interface Host {
  hostname?(): string;
}

/** Checks the settings and works out what was left open. Throws `UsageError` for the first mistake. */
export function parseServerOptions(values: SettingValues, host: Host = {}): ServerOptions {
  const text = (name: string): string => String(values[name]);
  const optional = (name: string): string | undefined => (values[name] === undefined || values[name] === "" ? undefined : String(values[name]));
  const network = parseNetworkOptions(values);
  const node = parseNodeOptions(values, host);
  const advertiseAddress = optional("advertise-address");
  if (advertiseAddress) reachable(advertiseAddress, "--advertise-address");
  return {
    ...node, writeKubeconfig: absolute(text("write-kubeconfig"), "--write-kubeconfig"),
    writeKubeconfigMode: mode(text("write-kubeconfig-mode")),
    httpsListenPort: port(values["https-listen-port"], "--https-listen-port"),
    ...(advertiseAddress ? { advertiseAddress } : {}), tlsSan: (values["tls-san"] as string[] | undefined) ?? [],
    ...(optional("token") ? { token: optional("token") } : {}), ...(optional("agent-token") ? { agentToken: optional("agent-token") } : {}),
    ...network, nodePortRange: portRange(text("service-node-port-range")), clusterDomain: text("cluster-domain"),
    disable: ((values["disable"] as string[] | undefined) ?? []).flatMap((names) => names.split(",")).map((name) => oneOf(name.trim(), disableable, "--disable")),
    ingressHttpPort: port(values["ingress-http-port"], "--ingress-http-port"), ingressHttpsPort: port(values["ingress-https-port"], "--ingress-https-port"),
    featureGates: parseFeatureGates(values), identity: parseIdentityOptions(values), audit: parseAuditOptions(values), protection: parseProtectionOptions(values), scheduler: parseSchedulerOptions(values),
    disableAgent: values["disable-agent"] === true,
  };
}

/** The part that a machine needs to be a node. Throws `UsageError` for the first mistake. */
export function parseNodeOptions(values: SettingValues, host: Host = {}): NodeOptions {
  const text = (name: string): string => String(values[name]);
  const optional = (name: string): string | undefined => (values[name] === undefined || values[name] === "" ? undefined : String(values[name]));
  const nodeName = (optional("node-name") ?? (host.hostname ?? hostname)()).toLowerCase();
  if (!/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(nodeName)) throw new UsageError(`the node name ${JSON.stringify(nodeName)} must be lower-case letters, digits, "-" or ".": set one with --node-name`);
  const nodeIps = oneOfEachFamily((values["node-ip"] as string[] | undefined) ?? [], "--node-ip").map(formatAddress);
  const runtime = optional("container-runtime-endpoint")?.replace(/^unix:\/\//, "");
  return {
    dataDir: absolute(text("data-dir"), "--data-dir"), nodeName, nodeIps,
    nodeLabels: labels((values["node-label"] as string[] | undefined) ?? []), nodeTaints: ((values["node-taint"] as string[] | undefined) ?? []).map(taint),
    kubeletPort: port(values["kubelet-port"], "--kubelet-port"), podNetwork: oneOf(text("pod-network"), podNetworkModes, "--pod-network"), nodePortAddresses: nodePortAddresses(values), disableNetworkPolicy: values["disable-network-policy"] === true, ...(runtime ? { containerRuntimeEndpoint: runtime } : {}), podLogDir: absolute(text("pod-log-dir"), "--pod-log-dir"),
    kubelet: said(() => parseKubeletArgs(values["kubelet-arg"] as string[] | undefined ?? []), "--kubelet-arg"), devices: devices(values["device"] as string[] | undefined ?? []),
    privateRegistry: absolute(text("private-registry"), "--private-registry"),
    bindAddress: text("bind-address"), front: oneOf(text("front"), ["bun", "node"], "--front"),
  };
}

function devices(items: readonly string[]): DeviceSetting[] {
  const settings = items.map((item) => said(() => parseDeviceSetting(item), "--device"));
  const twice = settings.find(({ resource }, index) => settings.findIndex((other) => other.resource === resource) !== index);
  if (twice) throw new UsageError(`--device names ${twice.resource} twice: put all it means into one, with | between`);
  return settings;
}

/** What somebody else reads, and complains of. */
function said<T>(read: () => T, flag: string): T {
  try {
    return read();
  } catch (error) {
    throw new UsageError(`${flag}: ${(error as Error).message}`, { cause: error });
  }
}

/** An address that others can send to: Kubernetes refuses any other as the endpoint of its own Service. */
function reachable(text: string, flag: string): void {
  const address = parseAddress(text);
  if (!address || address.mapped) throw new UsageError(`${flag} must be an IP address, not ${JSON.stringify(text)}`);
  const kind = address.family === 4 ? ipv4Kind(Number(address.value >> 24n), text) : ipv6Kind(address.value);
  if (kind) throw new UsageError(`${flag} ${text} is ${kind}, and pods and nodes couldn't reach the API there: name an address of this machine's network, or leave the setting out`);
}

const ipv4Kind = (first: number, text: string): string | undefined =>
  (first === 0 ? "no address" : first === 127 ? "this machine's own loopback" : text.startsWith("169.254.") ? "link-local" : first >= 224 ? "not one machine's" : undefined);
const ipv6Kind = (value: bigint): string | undefined =>
  (value === 0n ? "no address" : value === 1n ? "this machine's own loopback" : value >> 118n === 0x3fan ? "link-local" : value >> 120n === 0xffn ? "not one machine's" : undefined);

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
