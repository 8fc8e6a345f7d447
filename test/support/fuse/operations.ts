import { Errno, FileSystemError } from "./errno.ts";
import { encodeAttr, encodeCreated, encodeEntry, encodeInit, encodeNames, encodeStatfs, encodeWritten, namesIn, Operation, type Request, SetattrValid } from "./protocol.ts";
import { pageBytes } from "./file-data.ts";
import { FileType, type Inode, type Volume } from "./volume.ts";

/** Blocks that a disk without a capacity tells of. */
const plentyBlocks = 1 << 28;
const renameNoReplace = 1;
const fallocateKeepSize = 1;

/** Does what a request asks and returns the body of its reply. Throws `FileSystemError`. `undefined`: the kernel waits for no reply. */
export function perform(volume: Volume, request: Request): Uint8Array | undefined {
  const { body, node } = request;
  switch (request.operation) {
    case Operation.init: return encodeInit(body);
    case Operation.lookup: return entry(volume.lookup(node, namesIn(body, 0)[0]!));
    case Operation.forget: volume.forget(node, Number(body.getBigUint64(0, true))); return undefined;
    case Operation.batchForget: forgetAll(volume, body); return undefined;
    case Operation.getattr: return encodeAttr(volume.inode(node));
    case Operation.setattr: return setattr(volume, node, body);
    case Operation.readlink: return Buffer.from(volume.inode(node).target ?? "");
    case Operation.symlink: return symlink(volume, request);
    case Operation.mknod: return make(volume, request, body.getUint32(0, true), 16);
    case Operation.mkdir: return make(volume, request, FileType.directory | (body.getUint32(0, true) & 0o7777), 8);
    case Operation.create: return create(volume, request);
    case Operation.unlink: volume.unlink(node, namesIn(body, 0)[0]!); return done;
    case Operation.rmdir: volume.rmdir(node, namesIn(body, 0)[0]!); return done;
    case Operation.rename: return rename(volume, node, body, 8, 0);
    case Operation.rename2: return rename(volume, node, body, 16, body.getUint32(8, true));
    case Operation.link: return entry(volume.link(Number(body.getBigUint64(0, true)), node, namesIn(body, 8)[0]!));
    case Operation.read: return volume.inode(node).data!.read(Number(body.getBigUint64(8, true)), body.getUint32(16, true));
    case Operation.write: return write(volume, node, body);
    case Operation.fallocate: return fallocate(volume, node, body);
    case Operation.statfs: return statfs(volume);
    case Operation.release: return done;
    case Operation.fsync: volume.inode(node).data?.sync(); return done;
    case Operation.readdir: return readdir(volume, node, body);
    case Operation.fsyncdir: volume.syncDirectory(node); return done;
    case Operation.interrupt: return undefined;
    case Operation.destroy: return done;
    // Open, flush and access come once only: the kernel then goes on without, as for what we can't.
    default: throw new FileSystemError("ENOSYS");
  }
}

/** The answer to what has none but that it is done. */
const done = new Uint8Array(0);

/** Tells the kernel of an inode, which it will tell us to forget. */
function entry(inode: Inode): Uint8Array {
  inode.lookups++;
  return encodeEntry(inode);
}

function forgetAll(volume: Volume, body: DataView): void {
  for (let i = 0, count = body.getUint32(0, true); i < count; i++) volume.forget(Number(body.getBigUint64(8 + i * 16, true)), Number(body.getBigUint64(16 + i * 16, true)));
}

function make(volume: Volume, { node, uid, gid, body }: Request, mode: number, nameAt: number): Uint8Array {
  return entry(volume.create(node, namesIn(body, nameAt)[0]!, { mode, uid, gid }));
}

function symlink(volume: Volume, { node, uid, gid, body }: Request): Uint8Array {
  const [name, target] = namesIn(body, 0);
  return entry(volume.create(node, name!, { mode: FileType.link | 0o777, uid, gid, target: target! }));
}

function create(volume: Volume, { node, uid, gid, body }: Request): Uint8Array {
  const inode = volume.create(node, namesIn(body, 16)[0]!, { mode: FileType.regular | (body.getUint32(4, true) & 0o7777), uid, gid });
  inode.lookups++;
  return encodeCreated(inode);
}

function rename(volume: Volume, node: number, body: DataView, namesAt: number, flags: number): Uint8Array {
  if ((flags & ~renameNoReplace) !== 0) throw new FileSystemError("EINVAL");
  const [from, to] = namesIn(body, namesAt);
  volume.rename(node, from!, Number(body.getBigUint64(0, true)), to!, { replace: flags === 0 });
  return done;
}

function write(volume: Volume, node: number, body: DataView): Uint8Array {
  const length = body.getUint32(16, true);
  volume.write(node, Number(body.getBigUint64(8, true)), new Uint8Array(body.buffer, 40, length));
  return encodeWritten(length);
}

function fallocate(volume: Volume, node: number, body: DataView): Uint8Array {
  const mode = body.getUint32(24, true);
  if ((mode & ~fallocateKeepSize) !== 0) throw new FileSystemError("EOPNOTSUPP");
  volume.allocate(node, Number(body.getBigUint64(8, true)), Number(body.getBigUint64(16, true)), { grow: mode === 0 });
  return done;
}

function setattr(volume: Volume, node: number, body: DataView): Uint8Array {
  const valid = body.getUint32(0, true), inode = volume.inode(node), has = (flag: number): boolean => (valid & flag) !== 0;
  if (has(SetattrValid.size)) volume.truncate(node, Number(body.getBigUint64(16, true)));
  if (has(SetattrValid.mode)) inode.mode = (inode.mode & FileType.mask) | (body.getUint32(68, true) & 0o7777);
  if (has(SetattrValid.uid)) inode.uid = body.getUint32(76, true);
  if (has(SetattrValid.gid)) inode.gid = body.getUint32(80, true);
  const time = (at: number, nanosecondsAt: number, isNow: boolean): number => (isNow ? Date.now() : Number(body.getBigUint64(at, true)) * 1000 + Math.floor(body.getUint32(nanosecondsAt, true) / 1_000_000));
  if (has(SetattrValid.atime)) inode.accessed = time(32, 56, has(SetattrValid.atimeNow));
  if (has(SetattrValid.mtime)) inode.modified = time(40, 60, has(SetattrValid.mtimeNow));
  return encodeAttr(inode);
}

function readdir(volume: Volume, node: number, body: DataView): Uint8Array {
  const after = Number(body.getBigUint64(8, true));
  const names = function* (): Generator<{ id: number; cookie: number; name: string; mode: number }> {
    for (const one of volume.list(node, after)) yield { ...one, mode: volume.inode(one.id).mode };
  };
  return encodeNames(names(), body.getUint32(16, true));
}

function statfs(volume: Volume): Uint8Array {
  if (volume.capacity === Infinity) return encodeStatfs({ blocks: plentyBlocks, free: plentyBlocks });
  const blocks = Math.floor(volume.capacity / pageBytes);
  return encodeStatfs({ blocks, free: Math.max(0, blocks - Math.ceil(volume.usedBytes / pageBytes)) });
}

/** The error number of what `perform` threw. */
export const errnoOf = (error: unknown): number => (error instanceof FileSystemError ? Errno[error.code] : Errno.EIO);
