import { existsSync } from "node:fs";
import { join } from "node:path";
import { isObject } from "../../apimachinery/own.ts";
import { parseJoinToken } from "../../base/join/join-token.ts";
import { ensureFile, readIfExists } from "../../base/files.ts";
import { logger } from "../../base/log.ts";
import { type ServerOptions, serverSettings, type Setting, type SettingValues } from "../options.ts";
import { parseServerOptions } from "../parse-options.ts";
import { UsageError } from "../settings.ts";

const log = logger("servers");
const sorted = (items: readonly string[]): string => items.toSorted().join();

/** What all servers of a cluster have to have alike: by the setting's name, what comes of it, so that two may be compared. */
const agreed: Record<string, (options: ServerOptions) => string> = {
  "cluster-cidr": ({ clusterCidrs }) => clusterCidrs.join(),
  "service-cidr": ({ serviceCidrs }) => serviceCidrs.join(),
  "cluster-dns": ({ clusterDns }) => clusterDns.join(),
  "cluster-domain": ({ clusterDomain }) => clusterDomain,
  "service-node-port-range": ({ nodePortRange: { first, last } }) => `${first}-${last}`,
  "https-listen-port": ({ httpsListenPort }) => String(httpsListenPort),
  "pod-network": ({ podNetwork }) => podNetwork,
  disable: ({ disable }) => sorted(disable),
  "service-account-issuer": ({ identity }) => identity.serviceAccounts.issuers.join(),
  "api-audiences": ({ identity }) => sorted(identity.serviceAccounts.audiences),
  "agent-token": ({ agentToken = "" }) => parseJoinToken(agentToken)?.secret ?? agentToken,
};
const names = Object.keys(agreed);
const isSecret = (name: string): boolean => name === "agent-token";

/** Settings that a cluster has, of those above: what was given, and defaults that don't depend on other settings. */
export type Agreement = SettingValues;

/** What comes of settings, by their names. */
export type Outcome = Readonly<Record<string, string>>;

/** Below the server's directory: an `Agreement`, shared by the cluster's servers. */
export const agreementFileName = "cred/cluster-settings.json";

export const outcomeOf = (options: ServerOptions): Outcome => Object.fromEntries(names.map((name) => [name, agreed[name]!(options)]));

/** The part of it that the administrator has said something about. */
export const givenOutcomeOf = (options: ServerOptions): Outcome => Object.fromEntries(Object.entries(outcomeOf(options)).filter(([name]) => options.cluster.given.includes(name)));

/** The first setting that a server was given otherwise, in a sentence; undefined when there is none. */
export function disagreement(given: Outcome, cluster: Outcome): string | undefined {
  const name = names.find((each) => given[each] !== undefined && given[each] !== cluster[each]);
  if (name === undefined) return undefined;
  if (isSecret(name)) return `--${name} is another than the cluster's other servers have: leave it out, or give it theirs`;
  return `--${name} ${given[name] || '""'} is not what the cluster's other servers have, ${cluster[name] || '""'}: leave it out, which takes theirs, or give it that value; to change it for all, stop all of them first`;
}

/**
 * Whether a server that was given these options changes what its cluster has, of which `text` tells: it may while it is alone. Throws a `UsageError` when
 * others run beside it, which go on with what they have.
 */
export async function changesAgreement(own: ServerOptions, text: string | undefined, othersLive: () => Promise<boolean>): Promise<boolean> {
  const cluster = parse(text), refused = cluster && disagreement(givenOutcomeOf(own), outcomeOf(parseServerOptions({ ...own.cluster.values, ...none, ...cluster })));
  if (refused && await othersLive()) throw new UsageError(refused);
  return refused !== undefined;
}

/** Whether this server's cluster has told it what all have alike: now, or when it was one of several before its state came into a file, as by a restore. */
export const hasAgreement = (directory: string): boolean => existsSync(join(directory, agreementFileName));

/** The options by which this server runs: its own, and the cluster's where nothing was said. Throws a `UsageError` as `changesAgreement` does. `directory` is `<data-dir>/server`. */
export async function agree(own: ServerOptions, { directory, othersLive }: { directory: string; othersLive(): Promise<boolean> }): Promise<ServerOptions> {
  const file = join(directory, agreementFileName), text = readIfExists(file), { values, given } = own.cluster;
  const changes = await changesAgreement(own, text, othersLive), theirs = { ...none, ...(parse(text) ?? pick(values, names)) };
  if (changes) log.warn("This server runs alone, and was given other settings than its cluster had: the cluster has these now", { settings: names.filter((name) => given.includes(name)).join() });
  const agreement = changes ? { ...theirs, ...pick(values, given) } : theirs;
  // Which machine this is, and where its state is, is known by now.
  const options = { ...parseServerOptions({ ...values, ...agreement, "node-name": own.nodeName }), datastore: own.datastore };
  ensureFile(file, JSON.stringify(pick(agreement, names)));
  return options;
}

/** In place of what this server was told: settings without a fixed default, of which a cluster that has none says nothing. */
const none = Object.fromEntries(names.filter((name) => !serverSettings.some((setting: Setting) => setting.name === name && setting.default !== undefined)).map((name) => [name, undefined]));

const pick = (values: SettingValues, which: readonly string[]): Agreement => Object.fromEntries(names.flatMap((name) => (which.includes(name) && values[name] !== undefined ? [[name, values[name]]] : [])));

function parse(text: string | undefined): Agreement | undefined {
  if (text === undefined) return undefined;
  try {
    const content: unknown = JSON.parse(text);
    if (isObject(content)) return content as Agreement;
  } catch {}
  throw new UsageError(`<data-dir>/server/${agreementFileName} is damaged: move it away, and give this server the settings of its cluster once, such as --cluster-cidr, where they aren't the defaults`);
}
