/** Gives the pods of a node addresses of its range, none twice at a time. */
export class PodAddresses {
  #next = 1;
  readonly #taken = new Map<string, string>();
  readonly #inUse = new Set<string>();

  /** `range`: an IPv4 CIDR; a pod keeps its address until `release`. */
  take(uid: string, range: string): string {
    const mine = this.#taken.get(uid);
    if (mine) return mine;
    const [base, size] = parseRange(range);
    for (let tries = 0; tries < size; tries++) {
      const address = textOf(base + 1 + (this.#next++ % (size - 2)));
      if (this.#inUse.has(address)) continue;
      this.keep(uid, address);
      return address;
    }
    throw new Error(`no address of ${range} is free`);
  }

  /** The pod has this address already. */
  keep(uid: string, address: string): void {
    this.#taken.set(uid, address);
    this.#inUse.add(address);
  }

  release(uid: string): void {
    const address = this.#taken.get(uid);
    if (!address) return;
    this.#taken.delete(uid);
    this.#inUse.delete(address);
  }
}

function parseRange(range: string): [base: number, size: number] {
  const [address = "", bits = "24"] = range.split("/");
  const size = 2 ** (32 - Number(bits));
  const number = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  return [number - (number % size), size];
}

const textOf = (address: number): string => [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".");
