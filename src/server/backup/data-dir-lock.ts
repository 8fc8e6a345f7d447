import { existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { lock } from "../../base/flock.ts";
import { lockFile } from "../../storage/sqlite/open-file.ts";
import type { Layout } from "../layout.ts";
import { UsageError } from "../settings.ts";

export interface Held {
  release(): void;
}

/** Keeps restores out of a data directory, until released or the process ends. Throws a `UsageError` while one is under way. */
export function keepRestoresOut({ dataDir }: Layout): Held {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o711 });
  } catch {
    // Whoever prepares the directory tells what is wrong with it.
    return { release: () => undefined };
  }
  const held = lock(dataDir, "shared");
  if (!held) throw new UsageError(restoring(dataDir));
  return held;
}

/** Has a data directory alone. Throws a `UsageError` while a server runs with it, or a restore. */
export function takeDataDir({ dataDir }: Pick<Layout, "dataDir">): Held {
  const held = lock(dataDir, "exclusive");
  if (held) return held;
  const others = lock(dataDir, "shared");
  others?.release();
  throw new UsageError(others ? running(dataDir) : restoring(dataDir));
}

/** Has a data directory for a restore alone, and all that may use it without being a server. Throws a `UsageError`. */
export function reserveDataDir(layout: Layout): Held {
  const { dataDir, databaseFile } = layout;
  mkdirSync(dataDir, { recursive: true, mode: 0o711 });
  const held = takeDataDir(layout);
  try {
    if (etcdRuns(join(dirname(databaseFile), "etcd/member/snap/db"))) throw new UsageError("the member of etcd beside the server runs");
    // Of what uses the database without being a server, such as its move into etcd.
    const database = existsSync(`${databaseFile}.lock`) ? lockFile(databaseFile) : undefined;
    return {
      release() {
        database?.release();
        held.release();
      },
    };
  } catch (error) {
    held.release();
    throw new UsageError(running(dataDir), { cause: error });
  }
}

const running = (dataDir: string): string => `a server runs with ${dataDir}: stop it first ("systemctl stop skiff")`;
const restoring = (dataDir: string): string => `a backup is being restored into ${dataDir}: wait for that to end`;

/** Whether the member of etcd beside the server has its data locked, as it does while it runs: it outlives a server that was killed. */
function etcdRuns(file: string): boolean {
  if (!existsSync(file)) return false;
  const held = lock(file, "exclusive");
  held?.release();
  return held === undefined;
}
