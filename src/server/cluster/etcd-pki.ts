import type { GrpcTls } from "../../base/grpc/connect.ts";
import { certificateFiles, type PkiOptions } from "../pki/cluster-pki.ts";

/** CAs of the members' own, below `tls/`: what etcd is shown must not do for the API, nor the other way round. */
export const etcdCaNames = ["etcd/server-ca", "etcd/peer-ca"];

/** Makes and renews what a member and its clients show each other, as files below `directory`; returns what clients need. */
export async function ensureEtcdPki({ names, nodeName, ...options }: Pick<PkiOptions, "directory" | "now" | "builtAt" | "nodeName"> & { names: readonly string[] }): Promise<Required<GrpcTls>> {
  const { ca, leaf } = certificateFiles(options);
  const serverCa = await ca("etcd/server-ca", "skiff-etcd-server-ca"), peerCa = await ca("etcd/peer-ca", "skiff-etcd-peer-ca");
  // etcd asks itself, too, for its gateway.
  await leaf("etcd/server", serverCa, "peer", { commonName: nodeName }, names);
  await leaf("etcd/peer", peerCa, "peer", { commonName: nodeName }, names);
  const client = await leaf("etcd/client", serverCa, "client", { commonName: "skiff-server" });
  return { ca: serverCa.certificate, cert: client.certificate, key: client.key };
}
