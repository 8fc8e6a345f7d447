/** Error numbers of Linux, as the kernel's FUSE client takes them. Source: errno(3). */
export const Errno = {
  ENOENT: 2, EIO: 5, EEXIST: 17, EXDEV: 18, ENOTDIR: 20, EISDIR: 21, EINVAL: 22, EFBIG: 27, ENOSPC: 28, ENOSYS: 38, ENOTEMPTY: 39, EOPNOTSUPP: 95,
} as const;

export type ErrnoName = keyof typeof Errno;

/** What a file system call fails with. */
export class FileSystemError extends Error {
  override readonly name = "FileSystemError";
  constructor(readonly code: ErrnoName) {
    super(code);
  }
}
