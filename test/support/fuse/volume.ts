import { FileSystemError } from "./errno.ts";
import { FileData, pageBytes } from "./file-data.ts";
import type { Random } from "./random.ts";

export const FileType = { directory: 0o040000, regular: 0o100000, link: 0o120000, mask: 0o170000 } as const;
export const rootId = 1;

/** A file, directory, symbolic link or socket. */
export interface Inode {
  readonly id: number;
  /** Type and permissions, as in stat(2). */
  mode: number;
  uid: number;
  gid: number;
  /** Milliseconds since 1970. */
  accessed: number;
  modified: number;
  changed: number;
  links: number;
  /** How often the kernel has been told of it; it may be forgotten once the kernel has forgotten it. */
  lookups: number;
  readonly data?: FileData;
  readonly entries?: Entries;
  /** Of a symbolic link. */
  readonly target?: string;
}

interface Entries {
  readonly current: Map<string, Entry>;
  readonly durable: Map<string, number>;
}

export interface Entry {
  id: number;
  /** Where a listing goes on behind it: later entries have higher ones. */
  cookie: number;
}

/** A change of names that a disk makes wholly or not at all: what `directory` has under `name` from then on. */
type Change = readonly { directory: number; name: string; id: number | undefined }[];

/**
 * A file system in memory that knows what a disk would still have after a power cut: of files what was fsynced, of names what was when a
 * directory was last fsynced. Names are written as by a journal, in order: fsync of a directory takes along what was changed before it
 * elsewhere. fsync of a file says nothing about its name (fsync(2)). Owners, permissions and times are taken to be durable at once.
 */
export class Volume {
  readonly #inodes = new Map<number, Inode>();
  readonly #changes: Change[] = [];
  #nextId = rootId;
  #nextCookie = 1;
  /** In bytes; writes that need more fail with ENOSPC. */
  capacity = Infinity;

  constructor(private readonly now: () => number = Date.now) {
    this.#make(FileType.directory | 0o755, 0, 0, { entries: { current: new Map(), durable: new Map() } }).links = 2;
  }

  /** What files with a name take: the kernel tells late that it has closed one without. */
  get usedBytes(): number {
    let pages = 0;
    for (const { links, data } of this.#inodes.values()) if (links > 0) pages += data?.pages ?? 0;
    return pages * pageBytes;
  }

  inode(id: number): Inode {
    const inode = this.#inodes.get(id);
    if (!inode) throw new FileSystemError("ENOENT");
    return inode;
  }

  lookup(parent: number, name: string): Inode {
    const entry = this.#entries(parent).current.get(name);
    if (!entry) throw new FileSystemError("ENOENT");
    return this.inode(entry.id);
  }

  /** Entries behind `cookie`, in order. */
  *list(directory: number, cookie: number): Generator<Entry & { name: string }> {
    for (const [name, entry] of this.#entries(directory).current) if (entry.cookie > cookie) yield { ...entry, name };
  }

  create(parent: number, name: string, { mode, uid, gid, target }: { mode: number; uid: number; gid: number; target?: string }): Inode {
    this.#mustBeFree(parent, name);
    const type = mode & FileType.mask;
    const inode = this.#make(mode, uid, gid, type === FileType.directory ? { entries: { current: new Map(), durable: new Map() } } : type === FileType.link ? { target: target! } : { data: new FileData() });
    inode.links = type === FileType.directory ? 2 : 1;
    this.#apply([{ directory: parent, name, id: inode.id }]);
    return inode;
  }

  link(id: number, parent: number, name: string): Inode {
    this.#mustBeFree(parent, name);
    const inode = this.inode(id);
    inode.links++;
    this.#apply([{ directory: parent, name, id }]);
    return inode;
  }

  unlink(parent: number, name: string): void {
    const inode = this.lookup(parent, name);
    if (inode.entries) throw new FileSystemError("EISDIR");
    this.#apply([{ directory: parent, name, id: undefined }]);
    this.#unlinked(inode);
  }

  rmdir(parent: number, name: string): void {
    const inode = this.lookup(parent, name);
    if (!inode.entries) throw new FileSystemError("ENOTDIR");
    if (inode.entries.current.size > 0) throw new FileSystemError("ENOTEMPTY");
    this.#apply([{ directory: parent, name, id: undefined }]);
    this.#unlinked(inode);
  }

  rename(parent: number, name: string, newParent: number, newName: string, { replace = true }: { replace?: boolean } = {}): void {
    const inode = this.lookup(parent, name);
    const before = this.#entries(newParent).current.get(newName);
    if (before?.id === inode.id) return;
    const replaced = before && this.inode(before.id);
    if (replaced) {
      if (!replace) throw new FileSystemError("EEXIST");
      if (replaced.entries && !inode.entries) throw new FileSystemError("EISDIR");
      if (!replaced.entries && inode.entries) throw new FileSystemError("ENOTDIR");
      if (replaced.entries && replaced.entries.current.size > 0) throw new FileSystemError("ENOTEMPTY");
    }
    this.#apply([{ directory: parent, name, id: undefined }, { directory: newParent, name: newName, id: inode.id }]);
    if (replaced) this.#unlinked(replaced);
  }

  write(id: number, offset: number, bytes: Uint8Array): void {
    const inode = this.inode(id), data = dataOf(inode);
    this.#mustHaveRoom(data, offset, bytes.length);
    data.write(offset, bytes);
    inode.modified = inode.changed = this.now();
  }

  /** Sets room aside: later writes there do not fail with ENOSPC. */
  allocate(id: number, offset: number, length: number, { grow }: { grow: boolean }): void {
    const data = dataOf(this.inode(id));
    this.#mustHaveRoom(data, offset, length);
    data.allocate(offset, length);
    if (grow && offset + length > data.size) data.truncate(offset + length);
  }

  truncate(id: number, size: number): void {
    const inode = this.inode(id);
    dataOf(inode).truncate(size);
    inode.modified = inode.changed = this.now();
  }

  /** Makes the names of a directory durable, with all changes of names before the last of them. */
  syncDirectory(id: number): void {
    this.#entries(id);
    this.#keepChanges(this.#changes.findLastIndex((change) => change.some(({ directory }) => directory === id)) + 1);
  }

  /** Makes everything durable. */
  sync(): void {
    for (const { data } of this.#inodes.values()) data?.sync();
    this.#keepChanges(this.#changes.length);
  }

  /** The kernel has told of one lookup less. */
  forget(id: number, lookups: number): void {
    const inode = this.#inodes.get(id);
    if (!inode) return;
    inode.lookups -= lookups;
    if (!inUse(inode)) this.#sweep();
  }

  /**
   * The power fails, and comes back: what was not synced is gone. With `random`, some of it is there all the same, as disks do:
   * the first so many of the changes of names, and of each file what `FileData.afterPowerCut` says.
   */
  powerCut(random?: Random): void {
    if (random) this.#keepChanges(random.below(this.#changes.length + 1));
    this.#changes.length = 0;
    const before = new Map(this.#inodes);
    this.#inodes.clear();
    this.#revive(before, rootId, random);
  }

  #revive(before: ReadonlyMap<number, Inode>, id: number, random?: Random): void {
    const there = this.#inodes.get(id);
    if (there) {
      there.links++;
      return;
    }
    const { entries, data, ...rest } = before.get(id)!;
    const inode = { ...rest, lookups: 0, links: entries ? 2 : 1 };
    if (!entries) {
      this.#inodes.set(id, data ? { ...inode, data: data.afterPowerCut(random) } : inode);
      return;
    }
    const { durable } = entries;
    this.#inodes.set(id, { ...inode, entries: { durable, current: new Map([...durable].map(([name, child]) => [name, { id: child, cookie: this.#nextCookie++ }])) } });
    for (const child of durable.values()) this.#revive(before, child, random);
  }

  #keepChanges(count: number): void {
    for (const { directory, name, id } of this.#changes.splice(0, count).flat()) {
      const { durable } = this.#inodes.get(directory)?.entries ?? {};
      if (id === undefined) durable?.delete(name);
      else durable?.set(name, id);
    }
    if (count > 0) this.#sweep();
  }

  #apply(change: Change): void {
    for (const { directory, name, id } of change) {
      const { current } = this.#entries(directory);
      current.delete(name);
      if (id !== undefined) current.set(name, { id, cookie: this.#nextCookie++ });
      const inode = this.inode(directory);
      inode.modified = inode.changed = this.now();
    }
    this.#changes.push(change);
  }

  #make(mode: number, uid: number, gid: number, content: Pick<Inode, "data" | "entries" | "target">): Inode {
    const at = this.now();
    const inode: Inode = { id: this.#nextId++, mode, uid, gid, accessed: at, modified: at, changed: at, links: 0, lookups: 0, ...content };
    this.#inodes.set(inode.id, inode);
    return inode;
  }

  #unlinked(inode: Inode): void {
    inode.links = inode.entries ? 0 : inode.links - 1;
    inode.changed = this.now();
    if (!inUse(inode)) this.#sweep();
  }

  /** Drops what no name leads to, now or after a power cut, and the kernel does not use. */
  #sweep(): void {
    const named = new Set(this.#changes.flat().map(({ id }) => id));
    for (const { entries } of this.#inodes.values()) for (const id of entries?.durable.values() ?? []) named.add(id);
    for (const inode of this.#inodes.values()) if (!inUse(inode) && !named.has(inode.id)) this.#inodes.delete(inode.id);
  }

  #mustHaveRoom(data: FileData, offset: number, length: number): void {
    if (this.capacity === Infinity) return;
    const added = data.pagesAdded(offset, length) * pageBytes;
    if (added > 0 && this.usedBytes + added > this.capacity) throw new FileSystemError("ENOSPC");
  }

  #mustBeFree(parent: number, name: string): void {
    if (this.#entries(parent).current.has(name)) throw new FileSystemError("EEXIST");
  }

  #entries(id: number): Entries {
    const { entries } = this.inode(id);
    if (!entries) throw new FileSystemError("ENOTDIR");
    return entries;
  }
}

const inUse = ({ links, lookups }: Inode): boolean => links > 0 || lookups > 0;

function dataOf({ data, entries }: Inode): FileData {
  if (data) return data;
  throw new FileSystemError(entries ? "EISDIR" : "EINVAL");
}
