import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, watch } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Clock } from "../../src/base/clock.ts";
import { ensureFile } from "../../src/base/files.ts";
import type { Logger } from "../../src/base/log.ts";
import { noRegistries, parseRegistries, type RegistryAuth } from "./registries.ts";
import { authsOf, registryFolders, type RegistryFolder } from "./registry-hosts.ts";

export interface RegistryFilesOptions {
  /** `registries.yaml`; need not exist. */
  source: string;
  /** What containerd is told as its `config_path`. */
  directory: string;
  clock: Clock;
  log: Logger;
}

const settleMs = 300;

/**
 * Turns registries.yaml into what containerd reads: mirrors and certificates into files that it reads at each pull, so that they count at once;
 * credentials into its own configuration. A file with a mistake is told of and changes nothing.
 */
export class RegistryFiles {
  #auths: Record<string, RegistryAuth> = {};
  constructor(private readonly options: RegistryFilesOptions) {}

  /** Credentials by host, as last read. */
  get auths(): Readonly<Record<string, RegistryAuth>> {
    return this.#auths;
  }

  get directory(): string {
    return this.options.directory;
  }

  /** Reads the source and writes what has changed. Says whether the credentials are others. */
  apply(): boolean {
    const { source, directory, log } = this.options;
    try {
      const registries = existsSync(source) ? parseRegistries(readFileSync(source, "utf8")) : noRegistries;
      const folders = registryFolders(registries, (problem) => log.error("The registries' file asks for something that can't be done", { file: source, problem })), auths = authsOf(registries);
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      for (const name of readdirSync(directory)) if (!folders.has(name)) rmSync(join(directory, name), { recursive: true });
      for (const [name, folder] of folders) ensureFolder(join(directory, name), folder);
      const changed = JSON.stringify(auths) !== JSON.stringify(this.#auths);
      this.#auths = auths;
      return changed;
    } catch (error) {
      log.error("The registries' file has a mistake and is not used; what was read before stays", { file: source, error });
      return false;
    }
  }

  /** Applies each change of the source and calls back, until `signal` aborts; says whether credentials are others. */
  async follow(onChange: (othersAuths: boolean) => Promise<void>, signal: AbortSignal): Promise<void> {
    const { source, clock, log } = this.options;
    let wake: () => void = () => undefined;
    const folder = dirname(source);
    // Without its folder there is no such file, and there will be none without a restart.
    const watcher = existsSync(folder) ? watch(folder, (_, name) => {
      if (name === null || name === basename(source)) wake();
    }) : undefined;
    signal.addEventListener("abort", () => wake(), { once: true });
    const nextChange = (): Promise<void> => new Promise((resolve) => { wake = resolve; });
    try {
      for (let changed = nextChange(); !signal.aborted;) {
        await changed;
        await clock.sleep(settleMs, signal).catch(() => undefined);
        if (signal.aborted) return;
        // What changes from here on, while this change takes effect, is another.
        changed = nextChange();
        log.info("The registries' file is read again", { file: source });
        await onChange(this.apply());
      }
    } finally {
      watcher?.close();
    }
  }
}

/** Writes what has changed, and takes away what is of another day. */
function ensureFolder(path: string, { files, links }: RegistryFolder): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  for (const name of readdirSync(path)) if (!(name in files) && !(name in links)) rmSync(join(path, name));
  for (const [name, content] of Object.entries(files)) ensureFile(join(path, name), content);
  for (const [name, target] of Object.entries(links)) {
    if (lstatSync(join(path, name), { throwIfNoEntry: false })?.isSymbolicLink() && readlinkSync(join(path, name)) === target) continue;
    rmSync(join(path, name), { force: true });
    symlinkSync(target, join(path, name));
  }
}
