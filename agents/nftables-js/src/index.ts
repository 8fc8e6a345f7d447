export { FakeNftables } from "./fake.ts";
export { type KernelOptions, openNftables } from "./kernel.ts";
export { type Nftables, NftablesError } from "./nftables.ts";
export { type BaseChain, type Command, type Element, type Table, Transaction } from "./transaction.ts";
