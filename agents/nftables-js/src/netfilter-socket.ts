import { dlopen, FFIType, ptr, read } from "bun:ffi";
import { closeSync } from "node:fs";
import { control, type NetlinkMessage, parseMessages } from "./netlink-messages.ts";
import { NftablesError } from "./nftables.ts";

const { i32, u32, u64, i64 } = FFIType;
const symbols = {
  socket: { args: [i32, i32, i32], returns: i32 },
  bind: { args: [i32, FFIType.ptr, u32], returns: i32 },
  send: { args: [i32, FFIType.ptr, u64, i32], returns: i64 },
  recv: { args: [i32, FFIType.ptr, u64, i32], returns: i64 },
  setsockopt: { args: [i32, i32, i32, FFIType.ptr, u32], returns: i32 },
  __errno_location: { args: [], returns: FFIType.ptr },
} as const;

let library: ReturnType<typeof dlopen<typeof symbols>>["symbols"] | undefined;
const libc = () => library ??= dlopen("libc.so.6", symbols).symbols;
const errno = (): number => read.i32(libc().__errno_location()!, 0);

const afNetlink = 16, netlinkNetfilter = 12;
const sockRaw = 3, sockNonblock = 0o4000, sockCloexec = 0o2000000;
const solSocket = 1, soReceiveTimeout = 20;
const receiveBytes = 64 * 1024;

/** A socket of the calling thread's network namespace, subscribed to groups as a bit mask. Undefined where the kernel has none. */
function open(groups: number, options: number): number | undefined {
  const fd = libc().socket(afNetlink, sockRaw | sockCloexec | options, netlinkNetfilter);
  if (fd < 0) return undefined;
  const address = new Uint8Array(12), view = new DataView(address.buffer);
  view.setUint16(0, afNetlink, true);
  view.setUint32(8, groups, true);
  if (libc().bind(fd, ptr(address), address.byteLength) === 0) return fd;
  closeSync(fd);
  return undefined;
}

/** The descriptor of a socket that hears of what happens; to be read without blocking, and closed by who opened it. */
export const openSubscription = (groups: number): number | undefined => open(groups, sockNonblock);

/**
 * Asks the kernel, synchronously: it answers within the call. One socket for its life, for closing one makes the kernel finish, and wait
 * for, all that it has still to free after the last change of rules: ten milliseconds.
 */
export class Requests {
  #fd: number | undefined;

  /** All that the kernel answers. Throws `NftablesError`. */
  exchange(request: Uint8Array): NetlinkMessage[] {
    const fd = this.#send(request);
    try {
      return receive(fd);
    } catch (error) {
      // What is left of the answer must not be taken for the next one's.
      if (!isRefusal(error)) this.close();
      throw error;
    }
  }

  /** Requests that are not answered. */
  send(requests: readonly Uint8Array[]): void {
    this.#send(Buffer.concat(requests));
    // Refusals of some would be taken for the next answer.
    this.close();
  }

  #send(request: Uint8Array): number {
    const fd = this.#fd ??= opened();
    if (Number(libc().send(fd, ptr(request), request.byteLength, 0)) < 0) throw failed("send", errno());
    return fd;
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

function opened(): number {
  const fd = open(0, 0);
  if (fd === undefined) throw new NftablesError("the kernel has no netfilter sockets", "");
  // Two seconds: the kernel does not take that long, and a wait without end would stop everything.
  const timeout = new BigInt64Array([2n, 0n]);
  libc().setsockopt(fd, solSocket, soReceiveTimeout, ptr(timeout), timeout.byteLength);
  return fd;
}

function receive(fd: number): NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  for (;;) {
    const buffer = new Uint8Array(receiveBytes), length = Number(libc().recv(fd, ptr(buffer), buffer.byteLength, 0));
    if (length < 0) throw failed("recv", errno());
    for (const one of parseMessages(buffer.subarray(0, length))) {
      if (one.type === control.done) return messages;
      if (one.type !== control.error) messages.push(one);
      else if (one.body.getInt32(0, true) === 0) return messages;
      else throw failed("request", -one.body.getInt32(0, true));
    }
  }
}

const isRefusal = (error: unknown): boolean => error instanceof NftablesError && error.message.includes("request failed");
const failed = (what: string, code: number): NftablesError => new NftablesError(`netfilter refused: ${what} failed with errno ${code}`, String(code));
