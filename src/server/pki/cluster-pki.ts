import { createHash, X509Certificate } from "node:crypto";
import { join } from "node:path";
import { readIfExists, writeFileAtomic } from "../../base/files.ts";
import { createCa, createLeaf, createSigningKey, isCurrent, leafDays, signRequest, type KeyPair, type Subject } from "./certificate.ts";

export interface ClusterPki {
  serverCa: KeyPair;
  clientCa: KeyPair;
  /** The API server's serving certificate, followed by its CA. */
  serving: KeyPair;
  /** The kubelet's serving certificate. */
  kubeletServing: KeyPair;
  admin: KeyPair;
  /** What the API server shows to kubelets. */
  kubeletClient: KeyPair;
  /** Of front proxies: its certificates speak for other users. */
  frontProxyCa: KeyPair;
  /** What the API server shows to extension API servers. */
  frontProxyClient: KeyPair;
  /** PKCS#8 PEM, ES256. */
  serviceAccountKey: string;
}

export interface PkiOptions {
  /** `<data-dir>/server/tls`. */
  directory: string;
  /** DNS names and addresses that the API server answers to. */
  servingNames: readonly string[];
  nodeName: string;
  nodeAddresses: readonly string[];
  /** Milliseconds since the epoch. */
  now: number;
  /** When this binary was built, in milliseconds: no honest clock shows less. */
  builtAt: number;
}

const day = 24 * 60 * 60 * 1000;
const caDays = 20 * 365;
/** A leaf with less than this left is renewed at start, and by the daily check. */
const renewBeforeDays = 120;

/**
 * Loads the cluster's keys and certificates, makes what is missing, and renews leaves that end soon or lack a name.
 * A CA or key that is there is never replaced. `renewed` tells whether anything in use has changed.
 */
export async function ensurePki(options: PkiOptions): Promise<ClusterPki & { renewed: boolean }> {
  const { directory } = options;
  const files = certificateFiles(options), { ca, leaf } = files;
  const signingKey = async (name: string): Promise<string> => {
    const existing = readIfExists(join(directory, name));
    if (existing) return existing;
    const key = await createSigningKey();
    writeFileAtomic(join(directory, name), key);
    return key;
  };

  const serverCa = await ca("server-ca", "skiff-server-ca");
  const clientCa = await ca("client-ca", "skiff-client-ca");
  const frontProxyCa = await ca("front-proxy-ca", "skiff-front-proxy-ca");
  return {
    serverCa, clientCa, frontProxyCa,
    frontProxyClient: await leaf("client-front-proxy", frontProxyCa, "client", { commonName: frontProxyName }),
    serving: await leaf("serving-kube-apiserver", serverCa, "server", { commonName: "kube-apiserver" }, options.servingNames),
    kubeletServing: await leaf("serving-kubelet", serverCa, "server", { commonName: `system:node:${options.nodeName}`, organizations: ["system:nodes"] }, [options.nodeName, ...options.nodeAddresses]),
    admin: await leaf("client-admin", clientCa, "client", { commonName: "system:admin", organizations: ["system:masters"] }),
    kubeletClient: await leaf("client-kube-apiserver", clientCa, "client", { commonName: "system:kube-apiserver", organizations: ["system:masters"] }),
    serviceAccountKey: await signingKey("service-account.key"),
    renewed: files.renewed,
  };
}

/** Pairs of files below a directory: `ca` and `leaf` load one, or make it; `renewed` tells whether a leaf was made. */
export function certificateFiles({ directory, now, builtAt }: Pick<PkiOptions, "directory" | "now" | "builtAt">) {
  const time = Math.max(now, builtAt);
  const path = (name: string): string => join(directory, name);
  let renewed = false;

  const ca = async (name: string, commonName: string): Promise<KeyPair> => {
    const existing = readPair(path(name));
    if (existing) return existing;
    if (readIfExists(path(`${name}.crt`))) throw new Error(`${path(`${name}.key`)} is missing beside its certificate: put the key back from a backup, or remove both files to make a new CA that no client trusts yet`);
    return writePair(path(name), await createCa(commonName, new Date(time + caDays * day)));
  };
  const leaf = async (name: string, issuer: KeyPair, usage: "server" | "client" | "peer", subject: Subject, names: readonly string[] = []): Promise<KeyPair> => {
    const existing = readPair(path(name));
    if (existing && isCurrent(existing, issuer, { until: new Date(time + renewBeforeDays * day), names })) return existing;
    renewed = true;
    return writePair(path(name), await createLeaf({ issuer, usage, subject, names, notAfter: new Date(time + leafDays * day) }));
  };
  return {
    ca, leaf,
    get renewed() {
      return renewed;
    },
  };
}

/** The one name that extension API servers take a front proxy by. */
export const frontProxyName = "front-proxy-client";

/**
 * Signs for Kubernetes' own signers: what clients show the API server with the client CA, all else with the CA that everybody trusts,
 * so that no approval of a `legacy-unknown` request makes somebody a user.
 */
export const signerOf = ({ clientCa, serverCa }: Pick<ClusterPki, "clientCa" | "serverCa">) => (signer: string, signing: Parameters<typeof signRequest>[1]): Promise<string> =>
  signRequest(signer.startsWith("kubernetes.io/kube-apiserver-client") ? clientCa : serverCa, signing);

/** SHA-256 of the CA's DER form in lower-case hex: what a join token pins. */
export const caHash = (certificate: string): string => createHash("sha256").update(new X509Certificate(certificate).raw).digest("hex");

function readPair(base: string): KeyPair | undefined {
  const certificate = readIfExists(`${base}.crt`);
  const key = readIfExists(`${base}.key`);
  return certificate && key ? { certificate, key } : undefined;
}

/** The key first: a certificate without its key would be taken for missing and replaced, a key alone is harmless. */
function writePair(base: string, pair: KeyPair): KeyPair {
  writeFileAtomic(`${base}.key`, pair.key);
  writeFileAtomic(`${base}.crt`, pair.certificate);
  return pair;
}
