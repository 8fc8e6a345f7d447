import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, statSync, watch, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Clock } from "../../src/base/clock.ts";
import type { Logger } from "../../src/base/log.ts";
import type { ContainerRuntime } from "../cri/cri.ts";
import { isImageArchive, openImageArchive } from "./image-archive.ts";
import { nodeArchitecture, pauseImage, pauseReference } from "./pause.ts";

export interface ImageImporterOptions {
  /** containerd's socket; images go into its `k8s.io` namespace. */
  socket: string;
  runtime: ContainerRuntime;
  /** Archives put here are imported, at start and while running. */
  directory: string;
  /** Remembers which archives are in, so that a restart imports nothing twice. */
  stateFile: string;
  clock: Clock;
  log: Logger;
  /** Called after an import, so that pods waiting for the image try again. */
  onImported?: (references: readonly string[]) => void;
}

interface Imported { size: number; mtimeMs: number; references: string[] }

/** How long a file must rest before it is taken as completely written. */
const settleMs = 500;
const retryMs = 30_000;

/** Whether a file may still be being written. One from far ahead is not: it comes from a machine whose clock is right, or was written before this one's was set back. */
export const mayBeUnfinished = (mtimeMs: number, now: number): boolean => Math.abs(now - mtimeMs) < settleMs;

/** Brings images from files into containerd: the built-in pause image, and every archive of a directory. */
export class ImageImporter {
  readonly #state: Record<string, Imported>;
  constructor(private readonly options: ImageImporterOptions) {
    this.#state = readState(options.stateFile);
  }

  /** References that came from files. Nobody can pull them again, so image garbage collection must leave them. */
  references(): ReadonlySet<string> {
    return new Set([pauseReference, ...Object.values(this.#state).flatMap((entry) => entry.references)]);
  }

  /** Makes sure the runtime has the pause image. */
  async importPause(): Promise<void> {
    if (await this.#has(pauseReference)) return;
    await this.#load(new Blob([(await pauseImage(nodeArchitecture)) as Uint8Array<ArrayBuffer>]).stream());
  }

  /** Imports what is there, then what appears, until `signal` aborts. A broken archive is logged and tried again when it changes. */
  async run(signal: AbortSignal): Promise<void> {
    const { directory, clock, log } = this.options;
    mkdirSync(directory, { recursive: true, mode: 0o755 });
    let wake: () => void = () => undefined;
    const watcher = watch(directory, () => wake());
    signal.addEventListener("abort", () => wake(), { once: true });
    try {
      while (!signal.aborted) {
        const changed = new Promise<void>((resolve) => { wake = resolve; });
        const pending = await this.importAll();
        const pause = pending === "settling" ? clock.sleep(settleMs, signal) : pending === "failed" ? clock.sleep(retryMs, signal) : undefined;
        await Promise.race([changed, ...(pause ? [pause] : [])]).catch(() => undefined);
      }
    } finally {
      watcher.close();
      log.debug("image import stopped");
    }
  }

  /** One pass over the directory. Says whether a file is still being written or has failed. */
  async importAll(): Promise<"done" | "settling" | "failed"> {
    let outcome: "done" | "settling" | "failed" = "done";
    for (const name of readdirSync(this.options.directory).filter(isImageArchive).sort()) {
      const path = join(this.options.directory, name);
      const stat = statSync(path, { throwIfNoEntry: false });
      if (!stat?.isFile() || await this.#isCurrent(name, stat)) continue;
      if (mayBeUnfinished(stat.mtimeMs, this.options.clock.now())) {
        outcome = "settling";
        continue;
      }
      if (!await this.#importFile(path, stat) && outcome === "done") outcome = "failed";
    }
    return outcome;
  }

  async #isCurrent(name: string, stat: { size: number; mtimeMs: number }): Promise<boolean> {
    const known = this.#state[name];
    if (known?.size !== stat.size || known.mtimeMs !== stat.mtimeMs) return false;
    for (const reference of known.references) if (!await this.#has(reference)) return false;
    return true;
  }

  async #importFile(path: string, stat: { size: number; mtimeMs: number }): Promise<boolean> {
    const { log, clock } = this.options;
    const startedAt = clock.now();
    try {
      const references = await this.#load(await openImageArchive(path));
      this.#state[basename(path)] = { size: stat.size, mtimeMs: stat.mtimeMs, references };
      writeState(this.options.stateFile, this.#state);
      log.info("images imported", { file: path, references: references.join(","), ms: clock.now() - startedAt });
      this.options.onImported?.(references);
      return true;
    } catch (error) {
      log.error("image archive could not be imported", { file: path, error });
      return false;
    }
  }

  async #has(reference: string): Promise<boolean> {
    const { image } = await this.options.runtime.images.imageStatus({ image: { image: reference } });
    return image !== undefined;
  }

  /** Feeds a tar to containerd's client and returns the references it names. */
  async #load(archive: NodeJS.ReadableStream | ReadableStream<Uint8Array>): Promise<string[]> {
    const child = Bun.spawn(["ctr", "--address", this.options.socket, "--namespace", "k8s.io", "images", "import", "-"], { stdin: "pipe", stdout: "pipe", stderr: "pipe" });
    const output = new Response(child.stdout).text();
    const problems = new Response(child.stderr).text();
    const fed = feed(archive, child.stdin);
    if (await child.exited !== 0) throw new Error((await problems).trim() || `ctr ended with exit code ${child.exitCode}`);
    await fed;
    return [...(await output).matchAll(/^unpacking (\S+) \(/gm)].map((match) => match[1]!);
  }
}

async function feed(archive: NodeJS.ReadableStream | ReadableStream<Uint8Array>, sink: Bun.FileSink): Promise<void> {
  for await (const chunk of archive as AsyncIterable<Uint8Array>) {
    await sink.write(chunk);
    await sink.flush();
  }
  await sink.end();
}

function readState(file: string): Record<string, Imported> {
  if (!existsSync(file)) return {};
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Record<string, Imported>;
  } catch {
    // Only a memory of what was done: without it everything is imported once more.
    return {};
  }
}

function writeState(file: string, state: Record<string, Imported>): void {
  writeFileSync(`${file}.tmp`, JSON.stringify(state, null, 1));
  renameSync(`${file}.tmp`, file);
}
