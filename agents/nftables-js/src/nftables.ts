import type { Element, Table, Transaction } from "./transaction.ts";

/** What the kernel said no to. `output` is nft's own message, with the offending line. */
export class NftablesError extends Error {
  override readonly name = "NftablesError";
  constructor(message: string, readonly output: string) {
    super(message);
  }
}

/** The packet filter, as far as a program needs it. All methods throw `NftablesError`. */
export interface Nftables {
  /** Applies all of the transaction, or nothing. */
  run(transaction: Transaction): Promise<void>;
  /** Checks the transaction as the kernel would, and applies nothing. */
  check(transaction: Transaction): Promise<void>;
  hasTable(table: Table): Promise<boolean>;
  /** Rules of a chain as nft prints them; throws when the chain is missing. */
  listRules(table: Table, chain: string): Promise<string[]>;
  /** All that a table holds, in nft's native syntax; throws when it is missing. */
  listTable(table: Table): Promise<string>;
  /** Elements of a map or set, in no order; throws when it is missing. */
  listElements(table: Table, name: string): Promise<Element[]>;
  close(): void;
}
