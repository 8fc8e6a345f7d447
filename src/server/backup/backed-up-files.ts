import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { readIfExists } from "../../base/files.ts";
import { logger } from "../../base/log.ts";

const log = logger("backup");

export interface BackedUpFile {
  /** `server/…`, below the data directory, or `config/…`, beside the configuration file. */
  name: string;
  mode: number;
  content: Uint8Array;
}

/** Below `server/`: what a snapshot holds, executables of other machines, and what each start writes anew. */
const leftOut = /^(db(\..*)?|static|kubeconfig-path|node-name)$/;
/** Where all files are settings of Skiff's own, or named by them. */
const ownConfigDirectory = "skiff";
/** What the installer writes there for its machine. */
const installed = "supervise.sh";
/** Keys, settings and manifests are text, of which bundles of CustomResourceDefinitions take some megabytes; something larger lies there by mistake. */
const largestBytes = 32 << 20;

/**
 * All files that make a server what it is, besides its database: CA and keys, tokens, keys that encrypt the database, manifests, configuration.
 * Whatever lies in the server's directory goes along unless it is known to be of no use.
 */
export function backedUpFiles({ dataDir, configFile }: { dataDir: string; configFile: string }): BackedUpFile[] {
  const server = join(dataDir, "server"), config = dirname(configFile);
  const kubeconfig = readIfExists(join(server, "kubeconfig-path"))?.trim();
  const names = basename(config) === ownConfigDirectory ? namesIn(config) : namesIn(config).filter((name) => name === basename(configFile) || name.startsWith(`${basename(configFile)}.d/`));
  return [
    ...namesIn(server).filter((name) => !leftOut.test(name.split("/", 1)[0]!)).flatMap((name) => read(server, name, "server")),
    // The administrator's kubeconfig is written at each start, for that machine.
    ...names.filter((name) => name !== installed && join(config, name) !== kubeconfig).flatMap((name) => read(config, name, "config")),
  ];
}

function namesIn(directory: string, under = ""): string[] {
  try {
    return readdirSync(join(directory, under), { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1)).flatMap((entry) => {
      const name = join(under, entry.name);
      return entry.isDirectory() ? (leftOut.test(name) ? [] : namesIn(directory, name)) : [name];
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** Nothing for what is gone by now, or half written. */
function read(directory: string, name: string, as: string): BackedUpFile[] {
  const path = join(directory, name), status = statSync(path, { throwIfNoEntry: false });
  if (!status?.isFile() || name.endsWith(".tmp")) return [];
  if (status.size > largestBytes) {
    log.warn("A file is too large to be a setting or a manifest, and isn't backed up", { path, bytes: status.size });
    return [];
  }
  return [{ name: `${as}/${name}`, mode: status.mode & 0o777, content: readFileSync(path) }];
}
