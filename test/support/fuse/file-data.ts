import type { Random } from "./random.ts";

export const pageBytes = 4096;
const sectorBytes = 512;
/** How many unsynced versions of a page are remembered: a disk may have written any of them. */
const maxVersions = 3;
/** The share of surviving pages that a power cut tears, where it keeps any. */
const tornShare = 0.2;

type Pages = Map<number, Uint8Array>;
const zeros = new Uint8Array(pageBytes);

/**
 * The content of a file, twice: as programs see it, and as a disk is sure to have it. Pages are never changed in place, so that both may
 * hold the same ones; one that is missing reads as zeros.
 */
export class FileData {
  size = 0;
  readonly #pages: Pages = new Map();
  #durableSize = 0;
  readonly #durable: Pages = new Map();
  /** What was written to pages since the last sync, oldest first. */
  readonly #unsynced = new Map<number, Uint8Array[]>();
  #unsyncedSizes: number[] = [];

  get pages(): number {
    return this.#pages.size;
  }

  /** Pages that a write there would add. */
  pagesAdded(offset: number, length: number): number {
    let added = 0;
    for (let page = Math.floor(offset / pageBytes); page * pageBytes < offset + length; page++) if (!this.#pages.has(page)) added++;
    return added;
  }

  read(offset: number, length: number): Uint8Array {
    const end = Math.min(this.size, offset + length);
    if (end <= offset) return new Uint8Array(0);
    const result = new Uint8Array(end - offset);
    for (let at = offset; at < end;) {
      const page = Math.floor(at / pageBytes), from = at % pageBytes, until = Math.min(pageBytes, from + end - at);
      const content = this.#pages.get(page);
      if (content) result.set(content.subarray(from, until), at - offset);
      at += until - from;
    }
    return result;
  }

  write(offset: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) {
      const page = Math.floor((offset + done) / pageBytes), from = (offset + done) % pageBytes, part = bytes.subarray(done, done + pageBytes - from);
      const content = this.#pages.get(page)?.slice() ?? new Uint8Array(pageBytes);
      content.set(part, from);
      this.#put(page, content);
      done += part.length;
    }
    if (offset + bytes.length > this.size) this.#resize(offset + bytes.length);
  }

  /** Pages of zeros where there are none. */
  allocate(offset: number, length: number): void {
    for (let page = Math.floor(offset / pageBytes); page * pageBytes < offset + length; page++) if (!this.#pages.has(page)) this.#put(page, zeros);
  }

  truncate(size: number): void {
    if (size < this.size) {
      const last = Math.floor(size / pageBytes), rest = this.#pages.get(last);
      for (const page of this.#pages.keys()) {
        if (page < last || (page === last && size % pageBytes > 0)) continue;
        this.#pages.delete(page);
        this.#version(page, zeros);
      }
      if (rest && size % pageBytes > 0) {
        const content = new Uint8Array(pageBytes);
        content.set(rest.subarray(0, size % pageBytes));
        this.#put(last, content);
      }
    }
    if (size !== this.size) this.#resize(size);
  }

  /** What programs see is now what the disk has. */
  sync(): void {
    for (const page of this.#unsynced.keys()) {
      const content = this.#pages.get(page);
      if (content) this.#durable.set(page, content);
      else this.#durable.delete(page);
    }
    this.#durableSize = this.size;
    this.syncFailed();
  }

  /**
   * The disk has not taken what was to be synced, and will not be asked again: after a failed fsync Linux holds the pages for clean.
   * Source: https://lwn.net/Articles/752063/ ("PostgreSQL's fsync() surprise").
   */
  syncFailed(): void {
    this.#unsynced.clear();
    this.#unsyncedSizes = [];
  }

  /**
   * What a disk has after a power cut. Without `random`: what was synced. With it, each page is as synced or as in any of the writes
   * since, in any order, and some are torn between sectors; the size is any there was.
   */
  afterPowerCut(random?: Random): FileData {
    const after = new FileData();
    const size = random ? random.pick([this.#durableSize, ...this.#unsyncedSizes]) : this.#durableSize;
    for (const [page, content] of this.#durable) after.#pages.set(page, content);
    if (random) {
      for (const [page, versions] of this.#unsynced) {
        const choices = [this.#durable.get(page) ?? zeros, ...versions];
        const one = random.pick(choices);
        after.#pages.set(page, random.chance(tornShare) ? torn(one, random.pick(choices), random) : one);
      }
    }
    after.size = Infinity;
    after.truncate(size);
    after.#unsynced.clear();
    for (const [page, content] of after.#pages) after.#durable.set(page, content);
    after.#durableSize = size;
    after.#unsyncedSizes = [];
    return after;
  }

  #put(page: number, content: Uint8Array): void {
    this.#pages.set(page, content);
    this.#version(page, content);
  }

  #version(page: number, content: Uint8Array): void {
    const versions = this.#unsynced.get(page);
    if (!versions) this.#unsynced.set(page, [content]);
    else if (versions.push(content) > maxVersions) versions.shift();
  }

  #resize(size: number): void {
    this.size = size;
    if (this.#unsyncedSizes.push(size) > maxVersions) this.#unsyncedSizes.shift();
  }
}

/** The beginning of one and the rest of the other, cut where sectors meet. */
function torn(one: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const at = random.below(pageBytes / sectorBytes) * sectorBytes, content = one.slice();
  content.set(other.subarray(at), at);
  return content;
}
