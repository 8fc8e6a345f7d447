import { dlopen, FFIType, ptr, read } from "bun:ffi";
import { readFileSync, realpathSync } from "node:fs";

/** mount(2) flags. */
export const MountFlags = { readOnly: 1, noSuid: 2, noDev: 4, noExec: 8, remount: 32, bind: 4096, recursive: 16384, shared: 1 << 20 } as const;
const detach = 2;

type Libc = ReturnType<typeof open>;
let libc: Libc | undefined;

/** The system's mount table, by the system calls themselves: a pod's volumes cost microseconds, not processes. */
export function mount(source: string, target: string, type: string, flags = 0, data = ""): void {
  libc ??= open();
  const failed = libc.symbols.mount(text(source), text(target), text(type), BigInt(flags), text(data)) !== 0;
  if (failed) throw systemError("mount", target);
}

/** Options as in fstab: those that mount(2) has flags for, and the rest, which is for the filesystem. */
export function mountFlags(options: readonly string[]): { flags: number; data: string } {
  const known = new Map<string, number>([["ro", MountFlags.readOnly], ["nosuid", MountFlags.noSuid], ["nodev", MountFlags.noDev], ["noexec", MountFlags.noExec], ["bind", MountFlags.bind], ["rbind", MountFlags.bind | MountFlags.recursive], ["rw", 0]]);
  return { flags: options.reduce((flags, option) => flags | (known.get(option) ?? 0), 0), data: options.filter((option) => !known.has(option)).join(",") };
}

/** A file system in memory, for anybody to write to; never swapped out where the kernel (6.4 or later) lets it be so. */
export function mountTmpfs(target: string, bytes: number): void {
  const size = `size=${bytes}`;
  try {
    mount("tmpfs", target, "tmpfs", 0, `${size},noswap`);
  } catch {
    mount("tmpfs", target, "tmpfs", 0, size);
  }
}

export function bindMount(source: string, target: string): void {
  mount(source, target, "none", MountFlags.bind);
}

/**
 * Sees to it that what is mounted below a directory is seen by all who have it mounted, both ways: drivers in pods mount volumes there for others.
 * Where the machine doesn't share its mounts already, the directory becomes a mount of its own that does. Source: kubelet's MakeRShared.
 */
export function shareMounts(directory: string): void {
  const real = realpathSync(directory);
  if (isShared(real)) return;
  if (!isMountPoint(real)) mount(real, real, "none", MountFlags.bind | MountFlags.recursive);
  mount("none", real, "none", MountFlags.shared | MountFlags.recursive);
}

/** Whether the mount that the path is on shares what is mounted below it. */
export function isShared(path: string, mountinfo = readFileSync("/proc/self/mountinfo", "utf8")): boolean {
  const lines = mountinfo.split("\n").map((line) => line.split(" ")).filter((fields) => fields.length > 6).map((fields) => ({ point: unescape(fields[4]!), options: fields.slice(6, fields.indexOf("-")) }));
  const over = lines.filter(({ point }) => point === "/" || point === path || path.startsWith(`${point}/`));
  // Of several on one place, the last lies on top.
  const nearest = over.reduce<(typeof over)[number] | undefined>((best, each) => (best && best.point.length > each.point.length ? best : each), undefined);
  return nearest?.options.some((option) => option.startsWith("shared:")) ?? false;
}

/** Unmounts lazily, so that a busy file cannot keep the pod from going. No error when nothing is mounted there. */
export function unmount(target: string): void {
  libc ??= open();
  if (libc.symbols.umount2(text(target), detach) !== 0 && errno() !== invalidArgument && errno() !== noEntry) throw systemError("umount", target);
}

/** Mount points at or below `directory`, deepest first. */
export function mountsBelow(directory: string, mountinfo = readFileSync("/proc/self/mountinfo", "utf8")): string[] {
  const points = mountinfo.split("\n").map((line) => line.split(" ")[4] ?? "").map(unescape);
  return points.filter((point) => point === directory || point.startsWith(`${directory}/`)).reverse();
}

export function unmountBelow(directory: string): void {
  for (const point of mountsBelow(directory)) unmount(point);
}

export const isMountPoint = (path: string): boolean => mountsBelow(path).includes(path);

const noEntry = 2;
const invalidArgument = 22;

function open() {
  const { cstring: string } = { cstring: FFIType.ptr };
  const symbols = {
    mount: { args: [string, string, string, FFIType.u64, string], returns: FFIType.i32 },
    umount2: { args: [string, FFIType.i32], returns: FFIType.i32 },
    __errno_location: { args: [], returns: FFIType.ptr },
  } as const;
  for (const name of ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`]) {
    try {
      return dlopen(name, symbols);
    } catch {
      // The other C library then.
    }
  }
  throw new Error("cannot open the C library for mount(2)");
}

const text = (value: string): ReturnType<typeof ptr> => ptr(Buffer.from(`${value}\0`));
const errno = (): number => read.i32(libc!.symbols.__errno_location()!, 0);

function systemError(call: string, path: string): Error {
  const code = errno();
  return new Error(`${call} ${path}: errno ${code}`);
}

/** mountinfo writes blanks and backslashes as octal. */
const unescape = (path: string): string => path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
