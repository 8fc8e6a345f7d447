import { createHash, randomBytes, X509Certificate } from "node:crypto";
import { existsSync, renameSync } from "node:fs";
import { join } from "node:path";
import { readIfExists, writeFileAtomic } from "../../src/base/files.ts";
import { identities, type ClusterConfiguration, type IdentityName } from "../../src/base/join/enrolment.ts";
import { logger } from "../../src/base/log.ts";

/** PEM texts. */
export interface KeyPair {
  certificate: string;
  key: string;
}

/** All that this machine has as a node of its cluster. With it a node starts without asking anybody. */
export interface Membership {
  nodeName: string;
  /** PEM of the one authority whose servers are believed. */
  serverCa: string;
  clientCa: string;
  pairs: Record<IdentityName, KeyPair>;
  /** What the serving certificate was asked for. */
  addresses: string[];
  cluster: ClusterConfiguration;
  /** By which it joined. */
  server: string;
  /** All servers, as the cluster tells them; from here they may be reached elsewhere. */
  servers: string[];
}

/** `<data-dir>/agent/join`: one file with the membership, so that an enrolment is there whole or not at all, and the node's password. */
export interface MembershipStore {
  read(): Membership | undefined;
  write(membership: Membership): void;
  /** Made once; the server knows this node by it. */
  password(): string;
}

export function openMembership(directory: string): MembershipStore {
  const file = join(directory, "membership.json");
  return {
    read() {
      const text = readIfExists(file);
      if (text === undefined) return undefined;
      const found = parse(text);
      if (found) return found;
      const aside = setAside(file);
      logger("join").warn("What this node had of its cluster can't be read: it enrols again", { file, setAside: aside });
      return undefined;
    },
    write: (membership) => writeFileAtomic(file, `${JSON.stringify(membership, null, 2)}\n`),
    password: () => ensureText(join(directory, "node-password"), () => randomBytes(16).toString("hex")),
  };
}

/** The same text at each call: written once, by power cuts too. */
export function ensureText(file: string, make: () => string): string {
  const existing = readIfExists(file)?.trim();
  if (existing) return existing;
  const text = make();
  writeFileAtomic(file, `${text}\n`);
  return text;
}

/** SHA-256 of the CA's DER form in lower-case hex: what a join token pins. */
export const caHash = (pem: string): string => createHash("sha256").update(new X509Certificate(pem).raw).digest("hex");

function parse(text: string): Membership | undefined {
  try {
    const found = JSON.parse(text) as Membership;
    for (const pem of [found.serverCa, found.clientCa, ...identities.map((name) => found.pairs[name].certificate)]) new X509Certificate(pem);
    const { clusterCidrs: [pods], serviceCidrs: [services], clusterDns: [dns], clusterDomain } = found.cluster;
    const texts = [found.nodeName, pods, services, dns, clusterDomain, found.server, ...identities.map((name) => found.pairs[name].key), ...found.servers, ...found.addresses];
    return texts.every((each) => typeof each === "string" && each !== "") ? found : undefined;
  } catch {
    return undefined;
  }
}

function setAside(file: string): string {
  for (let n = 1; ; n++) {
    const aside = `${file}.corrupt-${n}`;
    if (existsSync(aside)) continue;
    renameSync(file, aside);
    return aside;
  }
}
