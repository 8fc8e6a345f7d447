import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { logger } from "../../src/base/log.ts";
import { ImageImporter } from "../../agents/containerd/images.ts";
import { Containerd } from "../../agents/containerd/supervisor.ts";
import type { ContainerRuntime } from "../../agents/cri/cri.ts";

export interface TestContainerd {
  runtime: ContainerRuntime;
  containerd: Containerd;
  importer: ImageImporter;
  /** Everything of this containerd is below it; images go to `<directory>/images`. */
  directory: string;
  /** Removes every pod, ends containerd and its shims, unmounts and deletes. */
  dispose(): Promise<void>;
}

/** A real containerd in a directory of its own, with the pause image in it. */
export async function startContainerd({ cniConfDir }: { cniConfDir?: string } = {}): Promise<TestContainerd> {
  const directory = mkdtempSync(join(tmpdir(), "skiff-containerd-"));
  const log = logger("test");
  const containerd = new Containerd({
    directory: join(directory, "containerd"), clock: systemClock, log,
    paths: { root: join(directory, "root"), state: join(directory, "state"), socket: join(directory, "containerd.sock"), cniConfDir: cniConfDir ?? join(directory, "cni") },
  });
  const stop = new AbortController();
  await containerd.start(stop.signal);
  const running = containerd.run(stop.signal);
  const importer = new ImageImporter({ socket: containerd.socket, runtime: containerd.runtime, directory: join(directory, "images"), stateFile: join(directory, "imported.json"), clock: systemClock, log });
  await importer.importPause();
  return {
    runtime: containerd.runtime, containerd, importer, directory,
    async dispose() {
      const { items = [] } = await containerd.runtime.runtime.listPodSandbox({});
      for (const { id } of items) {
        await containerd.runtime.runtime.stopPodSandbox({ podSandboxId: id! });
        await containerd.runtime.runtime.removePodSandbox({ podSandboxId: id! });
      }
      stop.abort();
      await running;
      unmountBelow(directory);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Unmounts everything below `directory`, deepest first. */
export function unmountBelow(directory: string): void {
  const mounts = Bun.spawnSync(["cat", "/proc/self/mounts"]).stdout.toString().split("\n").map((line) => line.split(" ")[1] ?? "").filter((path) => path.startsWith(`${directory}/`));
  for (const path of mounts.reverse()) Bun.spawnSync(["umount", "-l", path]);
}
