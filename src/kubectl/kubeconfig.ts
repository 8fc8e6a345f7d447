import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import { load } from "js-yaml";
import type { GlobalFlags } from "./command.ts";
import { KubectlError, PlainError } from "./errors.ts";

/** The flags that say which server is talked to and as whom; those that were not given are empty. */
export type ConnectionFlags = Partial<Omit<GlobalFlags, "requestTimeout">>;

/** A server, and what a client shows it. PEM texts. */
export interface Connection {
  server: string;
  ca?: string;
  cert?: string;
  key?: string;
  insecure: boolean;
  tlsServerName?: string;
  token?: string;
  username?: string;
  password?: string;
  /** Header fields that impersonate. */
  impersonation: Record<string, string | string[]>;
  /** The namespace that commands work in. */
  namespace: string;
  /** It was asked for by a flag, so that an object of another namespace is a mistake. */
  namespaceGiven: boolean;
}

interface Named<T> { name: string; value: T; file: string }
/** Clusters, users and contexts by name, in the order they are written. */
export interface Merged {
  clusters: Named<Fields>[];
  users: Named<Fields>[];
  contexts: Named<Fields>[];
  currentContext: string;
}
type Fields = Record<string, unknown>;

/** Where the server of this machine leaves the administrator's kubeconfig. */
const ownKubeconfig = "/etc/skiff/skiff.yaml";

/**
 * The connection that flags, `KUBECONFIG` (several files, merged: the first to say something wins), `~/.kube/config` or this machine's own server give.
 * Source: https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
 */
export async function connectionOf(flags: ConnectionFlags, environment: Record<string, string | undefined> = process.env): Promise<Connection> {
  const merged = mergedKubeconfig(flags, environment);
  const contextName = flags.context || merged.currentContext;
  const context = contextName ? merged.contexts.find(({ name }) => name === contextName) : undefined;
  if (contextName && !context) throw new PlainError(`Error in configuration: context was not found for specified context: ${contextName}`);
  const clusterName = flags.cluster || text(context?.value["cluster"]);
  const cluster = clusterName ? find(merged.clusters, clusterName, "cluster") : undefined;
  const userName = flags.user || text(context?.value["user"]);
  const user = userName ? find(merged.users, userName, "user") : undefined;
  const server = flags.server || text(cluster?.value["server"]);
  if (!server) throw new KubectlError("no server is known: name a kubeconfig with --kubeconfig or KUBECONFIG, or a server with --server; on the machine of `skiff server` run this as root");
  const plugged = user?.value["exec"] && !flags.token ? await runPlugin(user.value["exec"] as Fields, server) : {};
  const connection: Connection = {
    server: server.replace(/\/+$/, ""),
    ca: flags.certificateAuthority ? read(flags.certificateAuthority) : pem(cluster, "certificate-authority"),
    cert: flags.clientCertificate ? read(flags.clientCertificate) : plugged.cert ?? pem(user, "client-certificate"),
    key: flags.clientKey ? read(flags.clientKey) : plugged.key ?? pem(user, "client-key"),
    insecure: flags.insecureSkipTlsVerify === true || cluster?.value["insecure-skip-tls-verify"] === true,
    tlsServerName: flags.tlsServerName || text(cluster?.value["tls-server-name"]),
    token: flags.token || (plugged.token ?? text(user?.value["token"]) ?? tokenFile(user)),
    username: text(user?.value["username"]), password: text(user?.value["password"]),
    impersonation: impersonationOf(flags, user?.value),
    namespace: flags.namespace || (text(context?.value["namespace"]) ?? "default"),
    namespaceGiven: Boolean(flags.namespace),
  };
  return connection;
}

/** What the kubeconfig files say together. */
export const mergedKubeconfig = (flags: ConnectionFlags, environment: Record<string, string | undefined> = process.env): Merged => mergeFiles(filesOf(flags, environment));

function filesOf({ kubeconfig }: ConnectionFlags, environment: Record<string, string | undefined>): string[] {
  if (kubeconfig) return [kubeconfig];
  const listed = (environment["KUBECONFIG"] ?? "").split(":").filter(Boolean);
  if (listed.length) return listed.filter(exists);
  return [join(environment["HOME"] ?? homedir(), ".kube/config"), ownKubeconfig].filter(exists).slice(0, 1);
}

function exists(file: string): boolean {
  try {
    readFileSync(file);
    return true;
  } catch {
    return false;
  }
}

function mergeFiles(files: readonly string[]): Merged {
  const merged: Merged = { clusters: [], users: [], contexts: [], currentContext: "" };
  for (const file of files) {
    const config = parse(file);
    merged.currentContext ||= text(config["current-context"]) ?? "";
    take(merged.clusters, config["clusters"], "cluster", file);
    take(merged.users, config["users"], "user", file);
    take(merged.contexts, config["contexts"], "context", file);
  }
  return merged;
}

function parse(file: string): Fields {
  try {
    const text = read(file);
    // As kubectl: an empty file is a kubeconfig that says nothing.
    const config = text.trim() === "" ? {} : load(text);
    if (typeof config === "object" && config !== null && !Array.isArray(config)) return config as Fields;
  } catch (error) {
    if (error instanceof KubectlError) throw error;
    throw new KubectlError(`error loading config file "${file}": ${(error as Error).message.split("\n")[0]}`);
  }
  throw new KubectlError(`error loading config file "${file}": it holds no kubeconfig`);
}

function take(into: Named<Fields>[], list: unknown, field: string, file: string): void {
  if (!Array.isArray(list)) return;
  for (const entry of list as Fields[]) {
    const name = text(entry["name"]);
    if (name !== undefined && !into.some((known) => known.name === name)) into.push({ name, value: (entry[field] ?? {}) as Fields, file });
  }
}

function find(list: readonly Named<Fields>[], name: string, what: string): Named<Fields> {
  const found = list.find((entry) => entry.name === name);
  if (!found) throw new KubectlError(`${what} "${name}" does not exist`);
  return found;
}

const text = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined);

/** `<field>-data` in base64, or the file that `<field>` names, relative to the kubeconfig. */
function pem(entry: Named<Fields> | undefined, field: string): string | undefined {
  const data = text(entry?.value[`${field}-data`]);
  if (data) return Buffer.from(data, "base64").toString();
  const file = text(entry?.value[field]);
  return file && read(isAbsolute(file) ? file : join(dirname(entry!.file), file));
}

const tokenFile = (user: Named<Fields> | undefined): string | undefined => {
  const file = text(user?.value["tokenFile"]);
  return file && read(file).trim();
};

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new KubectlError(`${file} can't be read: ${(error as Error).message}`);
  }
}

function impersonationOf({ as, asGroup, asUid }: ConnectionFlags, user: Fields | undefined): Record<string, string | string[]> {
  const name = as || text(user?.["as"]);
  const groups = asGroup?.length ? asGroup : (user?.["as-groups"] as string[] | undefined);
  const uid = asUid || text(user?.["as-uid"]);
  return { ...(name ? { "Impersonate-User": name } : {}), ...(groups?.length ? { "Impersonate-Group": groups } : {}), ...(uid ? { "Impersonate-Uid": uid } : {}) };
}

interface Plugged { token?: string; cert?: string; key?: string }

/** A credential plugin. Source: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins */
async function runPlugin(exec: Fields, server: string): Promise<Plugged> {
  const command = String(exec["command"]), args = ((exec["args"] as string[] | undefined) ?? []).map(String);
  const env = Object.fromEntries(((exec["env"] as { name: string; value: string }[] | undefined) ?? []).map(({ name, value }) => [name, value]));
  const info = { kind: "ExecCredential", apiVersion: String(exec["apiVersion"]), spec: { interactive: process.stdin.isTTY === true, ...(exec["provideClusterInfo"] ? { cluster: { server } } : {}) } };
  const fail = (problem: string): never => {
    throw new KubectlError(`the credential plugin ${command} ${problem}`);
  };
  try {
    const child = Bun.spawn([command, ...args], { env: { ...process.env, ...env, KUBERNETES_EXEC_INFO: JSON.stringify(info) }, stdin: "inherit", stdout: "pipe", stderr: "inherit" });
    const said = await new Response(child.stdout).text();
    if (await child.exited !== 0) fail(`ended with exit code ${child.exitCode}`);
    const { status = {} } = JSON.parse(said) as { status?: { token?: string; clientCertificateData?: string; clientKeyData?: string } };
    return { token: status.token, cert: status.clientCertificateData, key: status.clientKeyData };
  } catch (error) {
    if (error instanceof KubectlError) throw error;
    return fail(`could not be used: ${(error as Error).message}`);
  }
}
