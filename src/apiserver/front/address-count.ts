/** How many connections each address has open, so that none takes them all. */
export class AddressCount {
  readonly #open = new Map<string, number>();

  constructor(private readonly limit: number) {}

  /** False when the address has as many as it may; else it has one more. */
  add(address: string): boolean {
    const held = this.#open.get(address) ?? 0;
    if (held >= this.limit) return false;
    this.#open.set(address, held + 1);
    return true;
  }

  remove(address: string): void {
    const left = (this.#open.get(address) ?? 1) - 1;
    if (left > 0) this.#open.set(address, left);
    else this.#open.delete(address);
  }
}
