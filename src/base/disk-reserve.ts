import { closeSync, ftruncateSync, mkdirSync, openSync, statfsSync, statSync, unlinkSync } from "node:fs";
import { dirname } from "node:path";
import { background } from "./background.ts";
import type { Clock } from "./clock.ts";
import type { Component } from "./component.ts";
import { fallocate } from "./fallocate.ts";
import type { Logger } from "./log.ts";

export interface DiskReserveOptions {
  /** On the file system that it is a reserve of. */
  path: string;
  clock: Clock;
  log: Logger;
}

/** Enough for containerd to take up, or to make anew, all containers of a full node, and for the stores to write down what they must. */
const mostBytes = 32 * 2 ** 20;
/** A small disk is not filled with reserves. */
const mostShare = 0.01;
/** A start with a full disk takes one of so many parts: the next one may find it full again. */
const parts = 4;
/** It is made where so many times as much is free. */
const plenty = 4;
const retryMs = 10 * 60_000;

/**
 * Room that is kept for the start. With a full disk no database can be opened, and containerd loses sight of containers that run, since it writes
 * their state anew whenever it starts, and can make none. What has filled the disk does not run yet after a boot, or has taken all it could before.
 */
export class DiskReserve {
  readonly #options: DiskReserveOptions;

  constructor(options: DiskReserveOptions) {
    this.#options = options;
  }

  /** To be started before anything that writes. */
  component(): Component {
    const keeping = background("disk-reserve", (signal) => this.run(signal), { onFailure: (error) => this.#options.log.warn("The disk's reserve is not looked after", { error }) });
    return {
      ...keeping,
      start: (signal) => {
        this.give();
        return keeping.start(signal);
      },
    };
  }

  /** Gives up a part where the disk is full. */
  give(): void {
    const { path, log } = this.#options;
    const held = this.#held();
    if (held === 0) return;
    try {
      const { part, availableBytes } = this.#disk();
      if (availableBytes >= part) return;
      if (held <= part) unlinkSync(path);
      else cut(path, held - part);
      log.warn("The disk is full: Skiff starts with a part of the room that was kept for this", { path, availableBytes, givenBytes: Math.min(held, part), leftBytes: Math.max(0, held - part) });
    } catch (error) {
      log.warn("The disk's reserve can't be used", { path, error });
    }
  }

  /** Makes it, or makes it whole, once there is room, until `signal` aborts. Waits for nothing when it is. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted && !this.#keep()) await clock.sleep(retryMs, signal).catch(() => undefined);
  }

  /** Whether there is nothing more to do. */
  #keep(): boolean {
    const { path, log } = this.#options;
    try {
      const { part, availableBytes } = this.#disk(), wanted = part * parts;
      if (this.#held() >= wanted) return true;
      if (availableBytes < wanted * plenty) return false;
      allocate(path, wanted);
      return true;
    } catch (error) {
      log.info("No room can be kept for a start with a full disk", { path, error });
      return true;
    }
  }

  /** Whole blocks, of a file system of this size. */
  #disk(): { part: number; availableBytes: number } {
    const directory = dirname(this.#options.path);
    mkdirSync(directory, { recursive: true, mode: 0o711 });
    const { bsize, blocks, bavail } = statfsSync(directory);
    return { part: Math.ceil(Math.min(mostBytes, blocks * bsize * mostShare) / parts / bsize) * bsize, availableBytes: bavail * bsize };
  }

  #held(): number {
    return statSync(this.#options.path, { throwIfNoEntry: false })?.size ?? 0;
  }
}

function cut(path: string, bytes: number): void {
  const file = openSync(path, "r+");
  try {
    ftruncateSync(file, bytes);
  } finally {
    closeSync(file);
  }
}

/** By fallocate(2): the room is the file's, and nothing is written into it. Throws where the file system can't do that. */
function allocate(path: string, bytes: number): void {
  const file = openSync(path, "a", 0o600);
  try {
    fallocate(file, bytes);
  } catch (error) {
    // What it holds is what can be given up.
    if (statSync(path).size === 0) unlinkSync(path);
    throw error;
  } finally {
    closeSync(file);
  }
}
