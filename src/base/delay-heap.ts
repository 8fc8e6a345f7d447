interface Entry<K> {
  key: K;
  at: number;
}

/** Keys by due time: a binary heap. A key is in it once, with the earliest time it was given. */
export class DelayHeap<K> {
  readonly #heap: Entry<K>[] = [];
  readonly #places = new Map<K, number>();

  get size(): number {
    return this.#heap.length;
  }

  /** When the first key is due; undefined when empty. */
  get nextAt(): number | undefined {
    return this.#heap[0]?.at;
  }

  add(key: K, at: number): void {
    const place = this.#places.get(key);
    if (place === undefined) {
      this.#heap.push({ key, at });
      this.#rise(this.#heap.length - 1);
    } else if (at < this.#heap[place]!.at) {
      this.#heap[place]!.at = at;
      this.#rise(place);
    }
  }

  /** Takes out and returns the keys due at `now`, earliest first. */
  due(now: number): K[] {
    const keys: K[] = [];
    while (this.#heap.length > 0 && this.#heap[0]!.at <= now) keys.push(this.#takeFirst());
    return keys;
  }

  clear(): void {
    this.#heap.length = 0;
    this.#places.clear();
  }

  #takeFirst(): K {
    const first = this.#heap[0]!;
    const last = this.#heap.pop()!;
    this.#places.delete(first.key);
    if (this.#heap.length > 0) {
      this.#put(0, last);
      this.#sink(0);
    }
    return first.key;
  }

  #put(index: number, entry: Entry<K>): void {
    this.#heap[index] = entry;
    this.#places.set(entry.key, index);
  }

  #rise(from: number): void {
    const entry = this.#heap[from]!;
    let index = from;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (this.#heap[parent]!.at <= entry.at) break;
      this.#put(index, this.#heap[parent]!);
      index = parent;
    }
    this.#put(index, entry);
  }

  #sink(from: number): void {
    const entry = this.#heap[from]!;
    let index = from;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= this.#heap.length) break;
      if (child + 1 < this.#heap.length && this.#heap[child + 1]!.at < this.#heap[child]!.at) child++;
      if (this.#heap[child]!.at >= entry.at) break;
      this.#put(index, this.#heap[child]!);
      index = child;
    }
    this.#put(index, entry);
  }
}
