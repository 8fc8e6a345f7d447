import { systemClock } from "../../base/clock.ts";
import { builtAt } from "../../base/version.ts";
import { logger } from "../../base/log.ts";
import { takeDataDir } from "../backup/data-dir-lock.ts";
import { defaultAddresses } from "../host.ts";
import type { Layout } from "../layout.ts";
import { advertiseAddressOf, localAddressOf } from "../listening.ts";
import type { ServerOptions } from "../options.ts";
import { OwnEtcd } from "./own-etcd.ts";

/** `--cluster-reset`: makes this server's member the only one, with the state it has, and ends. Throws a `UsageError`, also while the server runs. */
export async function resetCluster(options: ServerOptions, { databaseFile, tlsDir }: Layout): Promise<void> {
  const held = takeDataDir(options);
  const { cluster, nodeName, token, dataDir, datastore, nodeIps } = options, clock = systemClock;
  const own = new OwnEtcd({
    cluster, nodeName, token, dataDir, databaseFile, maxBytes: datastore.maxBytes, localAddress: localAddressOf(options), address: advertiseAddressOf(options, [...nodeIps, ...defaultAddresses()][0]),
    pki: { directory: tlsDir, now: clock.now(), builtAt }, given: {}, clock,
  });
  await own.start(new AbortController().signal);
  await own.stop();
  held.release();
  logger("servers").info("This server's member is the only one now: start this server without --cluster-reset; on each of the others remove <data-dir>/server/db/etcd, and start it with --server and --token to join anew");
}
