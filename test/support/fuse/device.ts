import { type ErrnoName, FileSystemError } from "./errno.ts";
import { errnoOf, perform } from "./operations.ts";
import { encodeReply, namesIn, Operation, type Request } from "./protocol.ts";
import { randomOf } from "./random.ts";
import { Volume } from "./volume.ts";

/** How the disk misbehaves. */
export interface Faults {
  /** How long an fsync takes; they happen one after another, as on one device. */
  fsyncMs?: number;
  /** Fsyncs of the file of this name end when faults are set anew. */
  stalledFsync?: string;
  /** How long each write takes that reaches the disk's driver, as when the kernel may keep no more dirty pages. */
  writeMs?: number;
  /** In bytes, of all files. */
  capacity?: number;
  /** What these end with, instead of doing anything. */
  fail?: { read?: ErrnoName; write?: ErrnoName; fsync?: ErrnoName };
  /** An fsync is answered and not done, as by a card without a capacitor. */
  lies?: boolean;
}

/** What was asked of a file, by the name it had last. */
export interface FileCounters {
  writes: number;
  bytesWritten: number;
  fsyncs: number;
  /** Those that have written and fsynced. A process' first thread has its id. */
  threads: readonly number[];
}

/** When the power is to fail: with the so-manieth request from now on that changes something. */
export interface Fuse {
  requests: number;
  blown(): void;
}

const changing: ReadonlySet<number> = new Set([
  Operation.setattr, Operation.symlink, Operation.mknod, Operation.mkdir, Operation.unlink, Operation.rmdir, Operation.rename, Operation.link,
  Operation.write, Operation.fsync, Operation.fsyncdir, Operation.create, Operation.rename2,
  Operation.fallocate,
]);

const isSync = (operation: number): boolean => operation === Operation.fsync || operation === Operation.fsyncdir;

/** A volume with the ways of a real disk: it takes its time, gets full, fails and loses power. */
export class Device {
  readonly volume = new Volume();
  #faults: Faults = {};
  #fuse: Fuse | undefined;
  /** The power is off: nothing is done any more. */
  #off = false;
  #turn: Promise<void> = Promise.resolve();
  #changed = Promise.withResolvers<void>();
  readonly #names = new Map<number, string>();
  readonly #counters = new Map<string, FileCounters>();

  setFaults(faults: Faults): void {
    this.#faults = faults;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
    this.volume.capacity = faults.capacity ?? Infinity;
  }

  setFuse(fuse: Fuse): void {
    this.#fuse = fuse;
  }

  counters(): Record<string, FileCounters> {
    return Object.fromEntries(this.#counters);
  }

  forgetCounters(): void {
    this.#counters.clear();
  }

  /** From now on nothing that is asked happens. */
  powerOff(): void {
    this.#off = true;
    this.#fuse = undefined;
  }

  /** With a seed, some of what was not synced is there; without, nothing. */
  powerOn(seed?: number): void {
    if (this.#off) this.volume.powerCut(seed === undefined ? undefined : randomOf(seed));
    this.#off = false;
    this.#names.clear();
  }

  /** The reply to a request, if it wants one. */
  async answer(request: Request): Promise<Uint8Array | undefined> {
    try {
      await this.#delay(request);
      if (changing.has(request.operation)) this.#burn();
      if (this.#off && request.operation !== Operation.init) throw new FileSystemError("EIO");
      this.#fail(request);
      const body = this.#faults.lies && isSync(request.operation) ? new Uint8Array(0) : perform(this.volume, request);
      this.#count(request);
      return body && encodeReply(request.unique, 0, body);
    } catch (error) {
      return encodeReply(request.unique, errnoOf(error));
    }
  }

  #delay({ operation, node }: Request): Promise<void> | undefined {
    const { fsyncMs = 0, writeMs = 0, stalledFsync } = this.#faults;
    if (operation === Operation.fsync && stalledFsync !== undefined && this.#names.get(node) === stalledFsync) return this.#changed.promise;
    const ms = isSync(operation) ? fsyncMs : operation === Operation.write ? writeMs : 0;
    return ms > 0 ? (this.#turn = this.#turn.then(() => Bun.sleep(ms))) : undefined;
  }

  #burn(): void {
    if (!this.#fuse || this.#off || --this.#fuse.requests > 0) return;
    const { blown } = this.#fuse;
    this.powerOff();
    blown();
  }

  #fail({ operation, node }: Request): void {
    const { fail = {} } = this.#faults;
    const code = operation === Operation.read ? fail.read : operation === Operation.write ? fail.write : isSync(operation) ? fail.fsync : undefined;
    if (!code) return;
    if (operation === Operation.fsync) this.volume.inode(node).data?.syncFailed();
    throw new FileSystemError(code);
  }

  #count(request: Request): void {
    const { operation, node, body } = request;
    if (operation === Operation.create) this.#names.set(this.volume.lookup(node, namesIn(body, 16)[0]!).id, namesIn(body, 16)[0]!);
    else if (operation === Operation.lookup) this.#names.set(this.volume.lookup(node, namesIn(body, 0)[0]!).id, namesIn(body, 0)[0]!);
    else if (operation === Operation.write || operation === Operation.fsync) this.#add(request);
  }

  #add({ operation, node, thread, body }: Request): void {
    const name = this.#names.get(node) ?? `inode ${node}`, isWrite = operation === Operation.write;
    const { writes, bytesWritten, fsyncs, threads } = this.#counters.get(name) ?? { writes: 0, bytesWritten: 0, fsyncs: 0, threads: [] };
    this.#counters.set(name, {
      writes: writes + (isWrite ? 1 : 0), bytesWritten: bytesWritten + (isWrite ? body.getUint32(16, true) : 0), fsyncs: fsyncs + (isWrite ? 0 : 1),
      threads: threads.includes(thread) ? threads : [...threads, thread],
    });
  }
}

