/** The kernel's FUSE protocol, as far as we speak it. Source: include/uapi/linux/fuse.h, version 7.31 and what newer kernels say of it. */
import { FileType, type Inode } from "./volume.ts";
import { pageBytes } from "./file-data.ts";

export const Operation = {
  lookup: 1, forget: 2, getattr: 3, setattr: 4, readlink: 5, symlink: 6, mknod: 8, mkdir: 9, unlink: 10, rmdir: 11, rename: 12, link: 13,
  read: 15, write: 16, statfs: 17, release: 18, fsync: 20, init: 26, readdir: 28, fsyncdir: 30, create: 35, interrupt: 36,
  destroy: 38, batchForget: 42, fallocate: 43, rename2: 45,
} as const;

export const major = 7;
export const minor = 31;
/** Bytes of one WRITE at most; the kernel's own limit is 256 pages. */
export const maxWrite = 256 * pageBytes;
export const requestBytes = maxWrite + 4096;

const InitFlag = { asyncRead: 1 << 0, bigWrites: 1 << 5, noOpen: 1 << 17, parallelDirops: 1 << 18, maxPages: 1 << 22, noOpendir: 1 << 24 } as const;

export const SetattrValid = { mode: 1 << 0, uid: 1 << 1, gid: 1 << 2, size: 1 << 3, atime: 1 << 4, mtime: 1 << 5, atimeNow: 1 << 7, mtimeNow: 1 << 8 } as const;

/** How long the kernel may rely on what it was told, in seconds: nothing but its own calls changes anything. */
const validSeconds = 86_400n;

const inHeaderBytes = 40;
const outHeaderBytes = 16;
const attrBytes = 88;
export const entryBytes = 40 + attrBytes;

/** What the kernel wants. `body` is its own until the reply: it is copied out of the buffer that was read. */
export interface Request {
  operation: number;
  unique: bigint;
  node: number;
  uid: number;
  gid: number;
  /** The thread that asks; a process' first one has its id. */
  thread: number;
  body: DataView;
}

export function parseRequest(bytes: Uint8Array): Request {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = view.getUint32(0, true), body = bytes.slice(inHeaderBytes, end);
  return { operation: view.getUint32(4, true), unique: view.getBigUint64(8, true), node: Number(view.getBigUint64(16, true)), uid: view.getUint32(24, true), gid: view.getUint32(28, true), thread: view.getUint32(32, true), body: new DataView(body.buffer) };
}

/** `error` is a positive error number, 0 for success. */
export function encodeReply(unique: bigint, error: number, body?: Uint8Array): Uint8Array {
  const reply = new Uint8Array(outHeaderBytes + (body?.length ?? 0)), view = new DataView(reply.buffer);
  view.setUint32(0, reply.length, true);
  view.setInt32(4, error === 0 ? 0 : -error, true);
  view.setBigUint64(8, unique, true);
  if (body) reply.set(body, outHeaderBytes);
  return reply;
}

/** Names in a request: texts that end with a zero byte, from `offset` on. */
export function namesIn(body: DataView, offset: number): string[] {
  return Buffer.from(body.buffer, offset).toString().split("\0").slice(0, -1);
}

export function encodeInit(body: DataView): Uint8Array {
  const wanted = InitFlag.asyncRead | InitFlag.bigWrites | InitFlag.noOpen | InitFlag.parallelDirops | InitFlag.maxPages | InitFlag.noOpendir;
  const bytes = new Uint8Array(64), view = new DataView(bytes.buffer);
  view.setUint32(0, major, true);
  view.setUint32(4, minor, true);
  view.setUint32(8, body.getUint32(8, true), true); // max_readahead, as offered
  view.setUint32(12, (body.getUint32(12, true) & wanted) >>> 0, true);
  view.setUint16(16, 64, true); // max_background
  view.setUint16(18, 48, true); // congestion_threshold
  view.setUint32(20, maxWrite, true);
  view.setUint32(24, 1_000_000, true); // time_gran: we keep milliseconds
  view.setUint16(28, maxWrite / pageBytes, true); // max_pages
  return bytes;
}

function putAttr(view: DataView, at: number, inode: Inode): void {
  const size = inode.data?.size ?? inode.target?.length ?? 0;
  view.setBigUint64(at, BigInt(inode.id), true);
  view.setBigUint64(at + 8, BigInt(size), true);
  view.setBigUint64(at + 16, BigInt((inode.data?.pages ?? 0) * (pageBytes / 512)), true);
  for (const [index, time] of [inode.accessed, inode.modified, inode.changed].entries()) {
    view.setBigUint64(at + 24 + index * 8, BigInt(Math.floor(time / 1000)), true);
    view.setUint32(at + 48 + index * 4, Math.floor(time % 1000) * 1_000_000, true);
  }
  for (const [index, value] of [inode.mode, inode.links, inode.uid, inode.gid, 0, pageBytes, 0].entries()) view.setUint32(at + 60 + index * 4, value, true);
}

export function encodeAttr(inode: Inode): Uint8Array {
  const bytes = new Uint8Array(16 + attrBytes), view = new DataView(bytes.buffer);
  view.setBigUint64(0, validSeconds, true);
  putAttr(view, 16, inode);
  return bytes;
}

export function encodeEntry(inode: Inode): Uint8Array {
  const bytes = new Uint8Array(entryBytes), view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(inode.id), true);
  view.setBigUint64(16, validSeconds, true);
  view.setBigUint64(24, validSeconds, true);
  putAttr(view, 40, inode);
  return bytes;
}

/** A new file that is open: its entry, and a handle that we don't need. */
export function encodeCreated(inode: Inode): Uint8Array {
  const bytes = new Uint8Array(entryBytes + 16);
  bytes.set(encodeEntry(inode));
  return bytes;
}

/** Names of a directory, as many as fit. */
export function encodeNames(names: Iterable<{ id: number; cookie: number; name: string; mode: number }>, room: number): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const { id, cookie, name, mode } of names) {
    const text = Buffer.from(name), bytes = new Uint8Array(Math.ceil((24 + text.length) / 8) * 8), view = new DataView(bytes.buffer);
    if ((room -= bytes.length) < 0) break;
    view.setBigUint64(0, BigInt(id), true);
    view.setBigUint64(8, BigInt(cookie), true);
    view.setUint32(16, text.length, true);
    view.setUint32(20, (mode & FileType.mask) >> 12, true);
    bytes.set(text, 24);
    parts.push(bytes);
  }
  return Buffer.concat(parts);
}

export function encodeStatfs({ blocks, free }: { blocks: number; free: number }): Uint8Array {
  const bytes = new Uint8Array(80), view = new DataView(bytes.buffer);
  for (const [index, value] of [blocks, free, free, 1_000_000, 900_000].entries()) view.setBigUint64(index * 8, BigInt(value), true);
  for (const [index, value] of [pageBytes, 255, pageBytes].entries()) view.setUint32(40 + index * 4, value, true);
  return bytes;
}

export function encodeWritten(length: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setUint32(0, length, true);
  return bytes;
}
