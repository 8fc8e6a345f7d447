import type { Clock } from "../../base/clock.ts";
import type { EtcdOptions } from "../datastore/etcd-options.ts";
import type { ServerOptions } from "../options.ts";
import { type ClusterPki, ensurePki, type PkiOptions } from "../pki/cluster-pki.ts";
import { ensureToken, keepAgentToken } from "../token.ts";
import { agree, agreementFileName, changesAgreement, hasAgreement } from "./agreement.ts";
import { namesakeLives, othersLive } from "./others-live.ts";
import { knownServerId } from "./server-id.ts";
import { UsageError } from "../settings.ts";
import type { SharedFiles } from "./shared-files.ts";

export interface CredentialsDependencies {
  options: ServerOptions;
  /** Hears by which options this server runs from now on; tells what certificates are for then. */
  runBy(options: ServerOptions): PkiOptions;
  /** Where the state is in etcd. */
  cluster?: { etcd: EtcdOptions; shared: SharedFiles };
  clock: Clock;
}

/** Keys, certificates and tokens that this server has, or takes from the others of its cluster, or makes. Throws a `UsageError`. */
export async function prepareCredentials({ options: own, runBy, cluster, clock }: CredentialsDependencies): Promise<ClusterPki> {
  const { dataDir, token, nodeName } = own, directory = `${dataDir}/server`;
  /** Another server that starts now was faster: it doesn't say yet that it lives. */
  let beside = false, asked: Promise<boolean> | undefined;
  const live = async (): Promise<boolean> => cluster !== undefined && (beside || (asked ??= othersLive({ etcd: cluster.etcd, nodeName, clock })));
  if (cluster && await namesakeLives({ etcd: cluster.etcd, nodeName, clock, id: knownServerId(dataDir) })) throw new UsageError(`another server of this cluster runs and is called ${nodeName}: give this one a --node-name of its own`);
  await cluster?.shared.take((files) => changesAgreement(own, files[agreementFileName], live));
  for (;; beside = true) {
    const options = cluster || hasAgreement(directory) ? await agree(own, { directory, othersLive: live }) : own;
    const made = await ensurePki(runBy(options)), serverCa = made.serverCa.certificate;
    ensureToken({ dataDir, serverCa, ...(token ? { given: token } : {}), shared: cluster !== undefined });
    keepAgentToken({ dataDir, serverCa, ...(options.agentToken ? { given: options.agentToken } : {}) });
    // Another server was the first, or has changed something: again, with that.
    if (!(await cluster?.shared.publish())) return made;
  }
}
