import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import { allocatedTo } from "./file-figures.ts";
import { logBytes, pageBytes } from "./schema.ts";

/** What is left to a database: "plenty"; "little": nothing new, and nothing that grows much; "none": deleting is all there is room for. */
export interface RoomLeft {
  level: "plenty" | "little" | "none";
  /** Unless there is plenty: what to tell whoever is refused. */
  why?: string;
}

/** Kept back, of its own bound and of the file system, for deleting, for small changes and for the log. */
const reserveBytes = 16 << 20;
/** Of a small bound, or a small file system, this share. */
const reserveShare = 1 / 16;

/** Watches a database's own bound and the disk that it lies on. */
export class Room {
  #left: RoomLeft = { level: "plenty" };

  constructor(private readonly path: string, private readonly maxBytes = Infinity) {}

  get isShort(): boolean {
    return this.#left.level !== "plenty";
  }

  look({ free, total }: { free: number; total: number }): RoomLeft {
    const { bavail, bsize, blocks } = statfsSync(dirname(this.path));
    const own = { left: this.maxBytes - (total - free) * pageBytes, reserve: Math.min(reserveBytes, this.maxBytes * reserveShare) };
    // Pages that are free within the file need none of the disk; what the log holds of new ones will, and so does the log until it has grown.
    const toCome = Math.max(total * pageBytes - allocatedTo(this.path), 0) + Math.max(logBytes - allocatedTo(`${this.path}-wal`), 0);
    const disk = { left: bavail * bsize + free * pageBytes - toCome, reserve: Math.min(reserveBytes, blocks * bsize * reserveShare) };
    const [ownLevel, diskLevel] = [this.#level(own), this.#level(disk)];
    if (ownLevel !== "plenty") this.#left = { level: ownLevel, why: `the database ${this.path} has grown to its bound of ${mebibytes(this.maxBytes)} (--datastore-max-size): delete what isn't needed, or raise the bound` };
    else if (diskLevel !== "plenty") this.#left = { level: diskLevel, why: `the disk of ${this.path} is full, but for ${mebibytes(bavail * bsize)} that are kept for deleting: free some space; writes work again as soon as there is room` };
    else this.#left = { level: "plenty" };
    return this.#left;
  }

  /** Once there is little, there must be a bit more before there is plenty. */
  #level({ left, reserve }: { left: number; reserve: number }): RoomLeft["level"] {
    if (left < reserve / 4) return "none";
    return left < reserve * (this.isShort ? 1.25 : 1) ? "little" : "plenty";
  }
}

const mebibytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(bytes < 10 << 20 ? 1 : 0)} MiB`;
