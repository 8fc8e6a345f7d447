import { type Element, type Nftables, Transaction } from "nftables-js";
import type { Clock } from "../../src/base/clock.ts";
import { baseTable, smallestCapacity } from "./base-table.ts";
import type { FamilyConfig } from "./family.ts";
import { RuleBook } from "./rules.ts";

/** Kernels before 6.2 know a while later that no element leads to a chain any more. */
const chainLingersMs = 2000;

/** The proxy's table of one address family: what it is to hold, and what the kernel does. */
export class FamilyTable {
  readonly rules = new RuleBook();
  /** How many endpoints a port may have in the table that was loaded; 0 when it must be loaded. */
  #capacity = 0;
  /** What was tried last was refused: the next attempt has nothing in it but what is sure. */
  #failed = false;
  /** Empty chains to be deleted, with the earliest time for it. */
  #unused = new Map<string, number>();

  /** Around each transaction, so that who watches for others' knows it from theirs. */
  own: <T>(transaction: () => Promise<T>) => Promise<T> = (transaction) => transaction();

  constructor(private readonly options: { nft: Nftables; config: FamilyConfig; clock: Clock }) {}

  get config(): FamilyConfig {
    return this.options.config;
  }

  /** Whether the kernel holds the table, as far as this process knows. */
  get isLoaded(): boolean {
    return this.#capacity > 0;
  }

  /** Somebody else changed or removed it, or a change failed: the next `apply` loads it anew. */
  lost(): void {
    this.#capacity = 0;
  }

  /** Brings the kernel in line, by what changed alone where it can. Connections meet the old rules or the new ones, never none. */
  async apply(): Promise<void> {
    const needsMore = this.rules.largest > this.#capacity;
    try {
      if (this.isLoaded && !needsMore) await this.#change();
      else await this.#load();
      this.rules.applied();
      this.#failed = false;
    } catch (error) {
      this.lost();
      this.#failed = true;
      throw error;
    }
    if (this.#unused.size > 0) await this.#deleteUnused();
  }

  async #change(): Promise<void> {
    const { config, clock } = this.options;
    const { transaction, unused } = this.rules.changes(config.table);
    await this.#run(transaction);
    for (const chain of unused) this.#unused.set(chain, clock.monotonic() + chainLingersMs);
  }

  /** The base table and all contents, in one transaction; clients that an earlier table remembers are remembered. */
  async #load(): Promise<void> {
    const { config } = this.options;
    let capacity = smallestCapacity;
    while (capacity < this.rules.largest) capacity *= 2;
    const transaction = baseTable(config, capacity);
    this.rules.addTo(transaction);
    if (!this.#failed) for (const set of this.rules.setNames()) transaction.addElements(set, await this.#clientsOf(set));
    await this.#run(transaction);
    this.#capacity = capacity;
    this.#unused.clear();
  }

  /** With the time they have left, as nft tells it and takes it. Those that have none are forgotten while the table is loaded. */
  async #clientsOf(set: string): Promise<Element[]> {
    const { nft, config } = this.options;
    const elements = await nft.listElements(config.table, set).catch(() => []);
    return elements.filter(({ key }) => / expires (?!0s$|\d+ms$)/.test(key));
  }

  /** With a later change, for nothing depends on their going. */
  async #deleteUnused(): Promise<void> {
    const { config, clock } = this.options;
    const due = [...this.#unused].filter(([, time]) => time <= clock.monotonic()).map(([chain]) => chain);
    for (const chain of due) this.#unused.delete(chain);
    const transaction = new Transaction(config.table);
    for (const chain of due) if (!this.rules.hasChain(chain)) transaction.deleteChain(chain);
    // A kernel that still thinks it in use keeps an empty chain, until the table is loaded anew.
    await this.#run(transaction).catch(() => undefined);
  }

  async #run(transaction: Transaction): Promise<void> {
    if (!transaction.isEmpty) await this.own(() => this.options.nft.run(transaction));
  }
}
