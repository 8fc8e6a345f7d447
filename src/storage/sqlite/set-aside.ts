import { closeSync, openSync, statfsSync } from "node:fs";
import { dirname } from "node:path";
import { fallocate } from "../../base/fallocate.ts";
import { logBytes, pageBytes } from "./schema.ts";

/** The file is given room for so much more at a time. */
const stepBytes = 1 << 20;
/** Only where so many times as much is free. */
const plenty = 4;

/**
 * Room of the disk that is the database's own: for its log, and for what the log is to bring into the file. With it objects can be deleted
 * when others have filled the disk to the last byte, also after a crash. Where there is little room, or none can be set aside, it does without.
 */
export class SetAside {
  /** Kept open: closing any descriptor of the file would drop SQLite's locks on it. */
  readonly #file: number;
  /** The file has room up to here. */
  #bytes = 0;
  #pages = 0;
  #log = false;
  #possible = true;

  constructor(private readonly path: string) {
    this.#file = openSync(path, "r+");
  }

  /** To be told how many pages the database has, whenever that may have changed. */
  follow({ total }: { total: number }): void {
    // A file that is cut off has lost what was behind its end.
    if (total < this.#pages) this.#bytes = 0;
    this.#pages = total;
    const wanted = total * pageBytes + logBytes;
    if (!this.#possible || this.#bytes >= wanted) return;
    const { bavail, bsize } = statfsSync(dirname(this.path));
    if (bavail * bsize < (logBytes + stepBytes) * plenty) return;
    try {
      if (!this.#log) this.#forLog();
      fallocate(this.#file, wanted + stepBytes, { keepSize: true });
      this.#bytes = wanted + stepBytes;
    } catch {
      this.#possible = false;
    }
  }

  close(): void {
    closeSync(this.#file);
  }

  #forLog(): void {
    const log = openSync(`${this.path}-wal`, "a", 0o600);
    try {
      fallocate(log, logBytes, { keepSize: true });
    } finally {
      closeSync(log);
    }
    this.#log = true;
  }
}
