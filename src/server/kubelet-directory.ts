import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomic } from "../base/files.ts";
import type { Logger } from "../base/log.ts";
import type { Layout } from "./layout.ts";

/** Says whose a kubelet's directory is: holds the data directory. */
const marker = ".skiff";

/**
 * Where the kubelet keeps pods' files, and where drivers and device plugins find its sockets; made, and remembered in the agent's directory for
 * whoever removes Skiff. The machine's first instance has it where every kubelet has: manifests that users install name that path. Another
 * instance has its own, and so has the first where the place is somebody else's, or where its pods are from before. `given` is what the user wants.
 */
export function kubeletDirectory(layout: Layout, given: string | undefined, log: Logger): string {
  const directory = given ?? choose(layout, log);
  const isNew = !has(directory);
  mkdirSync(directory, { recursive: true, mode: 0o750 });
  if (isNew) writeFileAtomic(join(directory, marker), `${layout.dataDir}\n`);
  const record = join(layout.agentDir, "kubelet-directory");
  mkdirSync(layout.agentDir, { recursive: true, mode: 0o711 });
  if (!existsSync(record) || readFileSync(record, "utf8") !== `${directory}\n`) writeFileAtomic(record, `${directory}\n`);
  return directory;
}

function choose({ agentDir, dataDir, usualKubeletDir }: Layout, log: Logger): string {
  const own = join(agentDir, "kubelet");
  if (usualKubeletDir === undefined || has(join(own, "pods"))) return own;
  const owner = existsSync(join(usualKubeletDir, marker)) ? readFileSync(join(usualKubeletDir, marker), "utf8").trim() : undefined;
  if (owner === dataDir || !has(usualKubeletDir)) return usualKubeletDir;
  log.warn("Another kubelet's files are where drivers and device plugins look for this one's: it keeps its own elsewhere", { theirs: usualKubeletDir, directory: own });
  return own;
}

const has = (directory: string): boolean => existsSync(directory) && readdirSync(directory).length > 0;
