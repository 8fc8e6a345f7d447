import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, watch, type FSWatcher } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Clock } from "../../../src/base/clock.ts";
import type { Logger } from "../../../src/base/log.ts";
import type { Pod } from "../pod/pod.ts";
import { readManifest } from "./manifest.ts";

export interface ManifestsOptions {
  /** A directory of files with a pod each, or one such file. A directory is made when there is nothing. */
  path: string;
  nodeName: string;
  clock: Clock;
  log: Logger;
}

interface Seen {
  text: string;
  /** The last version of the file that made sense. */
  pod?: Pod;
}

/** As many bytes as a kubelet reads of a file. */
const mostBytes = 10 * 1024 * 1024;
/** Who writes a file is given time to finish it. */
const settleMs = 100;
const retryMs = 10_000;

/** The static pods that the node's files describe, followed by inotify. A file that makes no sense is told of once; until it does, the pod it described before runs on. */
export class Manifests {
  #seen = new Map<string, Seen>();
  constructor(private readonly options: ManifestsOptions) {}

  /** Reads all files afresh. Of files that describe pods of the same name or uid the first counts. */
  read(): readonly Pod[] {
    const seen = new Map<string, Seen>();
    for (const path of this.#files()) {
      const entry = this.#readFile(path);
      if (entry) seen.set(path, entry);
    }
    this.#seen = seen;
    const pods = new Map<string, Pod>();
    for (const [path, { pod }] of seen) {
      if (!pod) continue;
      const key = `${pod.metadata.namespace}/${pod.metadata.name}`;
      if (pods.has(key) || [...pods.values()].some(({ metadata: { uid } }) => uid === pod.metadata.uid)) this.options.log.warn("Static pod ignored: another file describes it too", { path, pod: key });
      else pods.set(key, pod);
    }
    return [...pods.values()];
  }

  /** Calls whenever a file may have changed, until `signal` aborts. */
  async follow(onChange: () => void, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.options;
    while (!signal.aborted) {
      const changed = Promise.withResolvers<void>();
      const onAbort = (): void => changed.resolve();
      signal.addEventListener("abort", onAbort, { once: true });
      let watcher: FSWatcher | undefined;
      try {
        watcher = watch(this.#directory(), () => changed.resolve());
        watcher.on("error", () => changed.resolve());
        // What happened before the watch began is seen now.
        onChange();
        await changed.promise;
        await clock.sleep(settleMs, signal);
      } catch (error) {
        if (!signal.aborted) {
          log.warn("Static pods' files cannot be watched, will try again", { path: this.options.path, error });
          await clock.sleep(retryMs, signal).catch(() => undefined);
        }
      } finally {
        signal.removeEventListener("abort", onAbort);
        watcher?.close();
      }
    }
  }

  #directory(): string {
    const { path } = this.options;
    if (statSync(path, { throwIfNoEntry: false })?.isFile()) return dirname(path);
    mkdirSync(path, { recursive: true, mode: 0o755 });
    return path;
  }

  #files(): string[] {
    const { path, log } = this.options;
    try {
      if (!existsSync(path)) return [];
      if (statSync(path).isFile()) return [path];
      return readdirSync(path).filter((name) => !name.startsWith(".")).sort().map((name) => join(path, name)).filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile());
    } catch (error) {
      // What cannot be listed now is not gone.
      log.warn("Static pods' files cannot be listed", { path, error });
      return [...this.#seen.keys()];
    }
  }

  #readFile(path: string): Seen | undefined {
    const before = this.#seen.get(path);
    const { nodeName, log } = this.options;
    let text: string;
    try {
      text = readFileSync(path).subarray(0, mostBytes).toString();
    } catch {
      return before;
    }
    if (before?.text === text) return before;
    try {
      const { pod, warnings } = readManifest(text, { path, nodeName });
      for (const warning of warnings) log.warn("In a static pod's file", { path, warning });
      return { text, pod };
    } catch (error) {
      log.error(before?.pod ? "A static pod's file makes no sense any more: the pod runs on as it was" : "A static pod's file makes no sense", { file: basename(path), path, error });
      return { text, ...(before?.pod ? { pod: before.pod } : {}) };
    }
  }
}
