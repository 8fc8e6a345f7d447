import { createHash } from "node:crypto";
import { accessSync, constants, mkdirSync } from "node:fs";
import { UsageError } from "./settings.ts";

export const defaultDataDir = "/var/lib/skiff";

/** Where an instance keeps what. Two instances on one machine differ in their data directory, and so in all of this. */
export interface Layout {
  /** `skiff`, or with a short hash for other data directories than the default: names cgroups, interfaces, tables and networks. */
  instance: string;
  dataDir: string;
  tlsDir: string;
  databaseFile: string;
  /** The keys that encrypt the database. */
  encryptionFile: string;
  /** What users want in the cluster from its start. */
  manifestsDir: string;
  /** What the server hands to machines that join: executables for those of another kind. */
  staticDir: string;
  agentDir: string;
  /** Where every kubelet has its files, for the instance that may. */
  usualKubeletDir?: string;
  /** Room on the disk that a start may need. */
  reserveFile: string;
  /** Volumes of the class `local-path`. */
  storageDir: string;
  /** On a tmpfs: sockets and what a reboot ends anyway. */
  runDir: string;
}

export function layoutOf(dataDir: string): Layout {
  const instance = dataDir === defaultDataDir ? "skiff" : `skiff-${createHash("sha256").update(dataDir).digest("hex").slice(0, 4)}`;
  return { instance, dataDir, tlsDir: `${dataDir}/server/tls`, databaseFile: `${dataDir}/server/db/state.db`, encryptionFile: `${dataDir}/server/cred/encryption-config.json`, manifestsDir: `${dataDir}/server/manifests`, staticDir: `${dataDir}/server/static`, agentDir: `${dataDir}/agent`, ...(instance === "skiff" ? { usualKubeletDir: "/var/lib/kubelet" } : {}), reserveFile: `${dataDir}/reserve`, storageDir: `${dataDir}/storage`, runDir: `/run/${instance}` };
}

/** Makes the data directory. Throws a `UsageError` when it can't be written. */
export function prepareDataDir({ dataDir, tlsDir, databaseFile }: Layout): void {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o711 });
    for (const directory of [`${dataDir}/server`, tlsDir, databaseFile.slice(0, databaseFile.lastIndexOf("/"))]) mkdirSync(directory, { recursive: true, mode: 0o700 });
    accessSync(`${dataDir}/server`, constants.W_OK);
  } catch (error) {
    throw new UsageError(`the data directory ${dataDir} can't be written (${(error as NodeJS.ErrnoException).code ?? (error as Error).message}): make it writable, run as root, or choose another with --data-dir`, { cause: error });
  }
}
