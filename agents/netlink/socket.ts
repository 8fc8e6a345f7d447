import { dlopen, FFIType, read } from "bun:ffi";
import { NetlinkError } from "./netlink.ts";

const afNetlink = 16, rawCloexec = 3 | 0x80000, nonblocking = 0x800, netlinkRoute = 0;
const solSocket = 1, receiveBufferForce = 33, receiveTimeout = 20;
const watchedBufferBytes = 1 << 20;

/** One for a thread. */
let library: ReturnType<typeof openLibrary> | undefined;

/** What of the C library a netlink socket takes. */
function openLibrary() {
  const { i32, ptr, u32, u64, i64 } = FFIType;
  const symbols = {
    socket: { args: [i32, i32, i32], returns: i32 },
    bind: { args: [i32, ptr, u32], returns: i32 },
    setsockopt: { args: [i32, i32, i32, ptr, u32], returns: i32 },
    send: { args: [i32, ptr, u64, i32], returns: i64 },
    recv: { args: [i32, ptr, u64, i32], returns: i64 },
    close: { args: [i32], returns: i32 },
    __errno_location: { args: [], returns: ptr },
  } as const;
  for (const name of ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`]) {
    try {
      return dlopen(name, symbols).symbols;
    } catch {
      // The other C library then.
    }
  }
  throw new NetlinkError("ENOENT", "the C library could not be opened for netlink");
}

export interface NetlinkSocket {
  readonly fd: number;
  send(message: Uint8Array): void;
  /** One datagram, copied. Waits for it, for ten seconds at most; the kernel answers at once. */
  receive(): Uint8Array;
  close(): void;
}

/** A socket to rtnetlink: for requests; or, with groups, one that only hears of changes and never blocks. */
export function openNetlinkSocket(groups = 0): NetlinkSocket {
  const c = (library ??= openLibrary());
  const fail = (what: string): never => {
    throw new NetlinkError(errorName(read.i32(c.__errno_location()!, 0)), what);
  };
  const fd = c.socket(afNetlink, rawCloexec | (groups ? nonblocking : 0), netlinkRoute);
  if (fd < 0) fail("a netlink socket could not be opened");
  const address = new Uint8Array(12);
  new DataView(address.buffer).setUint16(0, afNetlink, true);
  new DataView(address.buffer).setUint32(8, groups, true);
  if (c.bind(fd, address, address.length) !== 0) fail("a netlink socket could not be bound");
  if (groups) c.setsockopt(fd, solSocket, receiveBufferForce, Uint32Array.of(watchedBufferBytes), 4);
  else c.setsockopt(fd, solSocket, receiveTimeout, BigUint64Array.of(10n, 0n), 16);
  const buffer = new Uint8Array(groups ? 0 : 64 * 1024);
  return {
    fd,
    send(message) {
      if (Number(c.send(fd, message, BigInt(message.length), 0)) !== message.length) fail("a netlink request could not be sent");
    },
    receive() {
      const length = Number(c.recv(fd, buffer, BigInt(buffer.length), 0));
      if (length < 0) fail("netlink did not answer");
      return buffer.slice(0, length);
    },
    close: () => void c.close(fd),
  };
}

const errorNames: Readonly<Record<number, string>> = { 1: "EPERM", 2: "ENOENT", 3: "ESRCH", 4: "EINTR", 6: "ENXIO", 11: "EAGAIN", 12: "ENOMEM", 13: "EACCES", 16: "EBUSY", 17: "EEXIST", 19: "ENODEV", 22: "EINVAL", 34: "ERANGE", 93: "EPROTONOSUPPORT", 95: "EOPNOTSUPP", 97: "EAFNOSUPPORT", 98: "EADDRINUSE", 99: "EADDRNOTAVAIL", 100: "ENETDOWN", 101: "ENETUNREACH", 105: "ENOBUFS", 113: "EHOSTUNREACH" };

export const errorName = (number: number): string => errorNames[number] ?? `errno ${number}`;
