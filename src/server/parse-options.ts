import { resolve } from "node:path";
import { parseAddress } from "../apis/networking/addresses.ts";
import { parseAuditOptions } from "./audit-options.ts";
import { parseBackupOptions } from "./backup/options.ts";
import { parseClusterOptions } from "./cluster/options.ts";
import { parseDatastoreOptions } from "./datastore/options.ts";
import { parseFeatureGates } from "./feature-gate-options.ts";
import { parseIdentityOptions } from "./identity-options.ts";
import { parseNetworkOptions } from "./network-options.ts";
import { type Host, parseNodeOptions } from "./node-options.ts";
import { absolute, oneOf, port } from "./option-values.ts";
import { disableable, type ServerOptions, type SettingValues } from "./options.ts";
import { parseProtectionOptions } from "./protection-options.ts";
import { parseSchedulerOptions } from "./scheduler-options.ts";
import { defaultConfigFile, UsageError } from "./settings.ts";

/** Checks the settings and works out what was left open. Throws `UsageError` for the first mistake. */
export function parseServerOptions(values: SettingValues, host: Host = {}): ServerOptions {
  const text = (name: string): string => String(values[name]);
  const optional = (name: string): string | undefined => (values[name] === undefined || values[name] === "" ? undefined : String(values[name]));
  const network = parseNetworkOptions(values);
  const node = parseNodeOptions(values, host);
  const advertiseAddress = optional("advertise-address");
  if (advertiseAddress) reachable(advertiseAddress, "--advertise-address");
  return {
    ...node, configFile: resolve(optional("config") ?? defaultConfigFile), writeKubeconfig: absolute(text("write-kubeconfig"), "--write-kubeconfig"),
    writeKubeconfigMode: mode(text("write-kubeconfig-mode")),
    httpsListenPort: port(values["https-listen-port"], "--https-listen-port"),
    ...(advertiseAddress ? { advertiseAddress } : {}), tlsSan: (values["tls-san"] as string[] | undefined) ?? [],
    ...(optional("token") ? { token: optional("token") } : {}), ...(optional("agent-token") ? { agentToken: optional("agent-token") } : {}),
    ...network, nodePortRange: portRange(text("service-node-port-range")), clusterDomain: text("cluster-domain"),
    disable: ((values["disable"] as string[] | undefined) ?? []).flatMap((names) => names.split(",")).map((name) => oneOf(name.trim(), disableable, "--disable")),
    ingressHttpPort: port(values["ingress-http-port"], "--ingress-http-port"), ingressHttpsPort: port(values["ingress-https-port"], "--ingress-https-port"),
    featureGates: parseFeatureGates(values), identity: parseIdentityOptions(values), audit: parseAuditOptions(values), cluster: parseClusterOptions(values), datastore: parseDatastoreOptions(values), backup: parseBackupOptions(values, node.dataDir), protection: parseProtectionOptions(values), scheduler: parseSchedulerOptions(values),
    disableAgent: values["disable-agent"] === true,
  };
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

function portRange(text: string): { first: number; last: number } {
  const [first = NaN, last = NaN] = text.split("-").map(Number);
  if (!(first >= 1 && last <= 65535 && first <= last)) throw new UsageError(`--service-node-port-range must be two ports such as 30000-32767, not ${JSON.stringify(text)}`);
  return { first, last };
}

function mode(text: string): number {
  if (!/^0?[0-7]{3}$/.test(text)) throw new UsageError(`--write-kubeconfig-mode must be an octal file mode such as 0640, not ${JSON.stringify(text)}`);
  return Number.parseInt(text, 8);
}
