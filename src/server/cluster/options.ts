import type { Setting, SettingValues } from "../options.ts";
import { UsageError } from "../settings.ts";

/** Several servers, each with a member of etcd beside it. Names are K3s'. */
export const clusterSettings = [
  { name: "cluster-init", type: "boolean", default: false, group: "Cluster", description: "Begin a cluster of several servers: the state is kept in etcd, a member of which runs beside each server (needs the package etcd-server); a cluster in a file, also one restored from a backup, is taken along; wanted at the first start only" },
  { name: "server", type: "string", placeholder: "url", group: "Cluster", description: "Join the cluster of another server, such as https://10.0.0.5:6443, as one more server of it; needs its --token, at the first start only" },
  { name: "cluster-reset", type: "boolean", default: false, group: "Cluster", description: "Make the member beside this server the only one, with the state that it has, and end: for when most servers are lost" },
] as const satisfies readonly Setting[];

export interface ClusterOptions {
  init: boolean;
  /** URL of a server to join. */
  server?: string;
  reset: boolean;
  /** All settings as they were read, of whatever part; and the names of those that the administrator has given. */
  values: SettingValues;
  given: readonly string[];
}

/** Throws a `UsageError`. */
export function parseClusterOptions(values: SettingValues): ClusterOptions {
  const init = values["cluster-init"] === true, reset = values["cluster-reset"] === true, given = values["given"] as string[] | undefined ?? [], server = values["server"] as string | undefined;
  const asked = init ? "--cluster-init" : server ? "--server" : reset ? "--cluster-reset" : undefined;
  if (asked && values["datastore-endpoint"]) throw new UsageError(`${asked} runs etcd beside the server, and --datastore-endpoint uses one that runs elsewhere: leave out one of them`);
  if (init && server) throw new UsageError("--cluster-init begins a cluster and --server joins one: leave out one of them");
  if (!server) return { init, reset, values, given };
  const url = URL.parse(server);
  if (url?.protocol !== "https:" || url.pathname !== "/" || url.search || url.hash || url.username) throw new UsageError(`--server must be another server's address, such as https://10.0.0.5:6443, not ${JSON.stringify(server)}`);
  if (!values["token"]) throw new UsageError('--server needs --token too, as "skiff token" tells on a server of that cluster');
  return { init, server: url.origin, reset, values, given };
}
