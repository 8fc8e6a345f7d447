import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unmount } from "../../../agents/kubelet/volumes/mount.ts";
import type { Faults, FileCounters } from "./device.ts";
import type { DiskCommand, DiskMessage } from "./disk-process.ts";

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: Error): void;
}

/**
 * A disk of a test's own, mounted at `path`: a file system in the memory of a process of its own, which can lose power, be slow, full or
 * broken, and counts what is written to it. Close or kill what uses it before `remount`, and before `dispose`.
 */
export class TestDisk {
  readonly path = mkdtempSync(join(tmpdir(), "skiff-disk-"));
  readonly #child: Bun.Subprocess;
  readonly #waiting: Waiting[] = [];
  #mounted = Promise.withResolvers<void>();
  #onPowerLost: () => void = () => undefined;

  private constructor() {
    this.#child = Bun.spawn([process.execPath, join(import.meta.dir, "disk-process.ts"), this.path], {
      // In a process group of its own, so that it outlives whoever ends the tests' one, and cleans up.
      stdin: "ignore", stdout: "inherit", stderr: "inherit", detached: true,
      ipc: (message: DiskMessage) => this.#hear(message),
      onExit: () => this.#gone(),
    });
  }

  static async mount(): Promise<TestDisk> {
    const disk = new TestDisk();
    await disk.#mount();
    return disk;
  }

  /** Replaces those of before. */
  async setFaults(faults: Faults): Promise<void> {
    await this.#ask({ type: "faults", faults });
  }

  /** By name, since the disk was made or `forgetCounters`. */
  async counters(): Promise<Record<string, FileCounters>> {
    return (await this.#ask({ type: "counters" })) as Record<string, FileCounters>;
  }

  async forgetCounters(): Promise<void> {
    await this.#ask({ type: "forgetCounters" });
  }

  /** Bytes that files take, in whole pages. */
  async usedBytes(): Promise<number> {
    return (await this.#ask({ type: "used" })) as number;
  }

  /** Makes everything durable, as sync(2) does. */
  async sync(): Promise<void> {
    await this.#ask({ type: "sync" });
  }

  /** The power fails: what has not been synced by now never will be. Whoever uses the disk gets EIO, and is to be killed. */
  async powerOff(): Promise<void> {
    await this.#ask({ type: "powerOff" });
  }

  /** The power fails amid the so-manieth request from now on that changes something; then `onPowerLost` is called. */
  async powerOffAfter(requests: number, onPowerLost: () => void): Promise<void> {
    this.#onPowerLost = onPowerLost;
    await this.#ask({ type: "powerOffAfter", requests });
  }

  /** Mounts it anew, after `powerOff` as the power left it. With a seed some of what was not synced is there; without one nothing is. */
  async remount({ seed }: { seed?: number } = {}): Promise<void> {
    await this.#ask({ type: "unmount" });
    await this.#ask({ type: "powerOn", ...(seed === undefined ? {} : { seed }) });
    await this.#mount();
  }

  async dispose(): Promise<void> {
    this.#child.disconnect();
    await this.#child.exited;
    // If it was killed, and took neither along.
    unmount(this.path);
    rmSync(this.path, { force: true, recursive: true });
  }

  async #mount(): Promise<void> {
    this.#mounted = Promise.withResolvers();
    await this.#ask({ type: "mount" });
    await this.#mounted.promise;
  }

  #ask(command: DiskCommand): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#child.send(command);
    });
  }

  #hear(message: DiskMessage): void {
    if ("answer" in message) this.#waiting.shift()!.resolve(message.answer);
    else if ("failure" in message) this.#waiting.shift()!.reject(new Error(message.failure));
    else if (message.event === "mounted") this.#mounted.resolve();
    else this.#onPowerLost();
  }

  #gone(): void {
    const error = new Error("the disk's process has ended");
    for (const { reject } of this.#waiting.splice(0)) reject(error);
    this.#mounted.reject(error);
    this.#mounted.promise.catch(() => undefined);
  }
}
