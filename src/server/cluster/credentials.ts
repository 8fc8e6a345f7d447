import type { ServerOptions } from "../options.ts";
import { type ClusterPki, ensurePki, type PkiOptions } from "../pki/cluster-pki.ts";
import { ensureToken, keepAgentToken } from "../token.ts";
import type { SharedFiles } from "./shared-files.ts";

/** Keys, certificates and tokens that this server has, or takes from the others of its cluster, or makes. Throws a `UsageError`. */
export async function prepareCredentials({ options, pki: pkiOptions, shared }: { options: ServerOptions; pki: PkiOptions; shared: SharedFiles | undefined }): Promise<ClusterPki> {
  const { dataDir, token, agentToken } = options;
  await shared?.take();
  for (;;) {
    const pki = await ensurePki(pkiOptions), serverCa = pki.serverCa.certificate;
    ensureToken({ dataDir, serverCa, ...(token ? { given: token } : {}), shared: shared !== undefined });
    keepAgentToken({ dataDir, serverCa, ...(agentToken ? { given: agentToken } : {}) });
    // Another server was the first, or has changed something: again, with that.
    if (!(await shared?.publish())) return pki;
  }
}
