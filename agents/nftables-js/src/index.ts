export { type Conntrack, type Flow, type FlowEnd, openConntrack, udp } from "./conntrack.ts";
export { FakeNftables } from "./fake.ts";
export { type KernelOptions, openNftables } from "./kernel.ts";
export { type Nftables, NftablesError } from "./nftables.ts";
export { forwardChains, type TableWatch, type TableWatchHandlers, watchTables } from "./table-watch.ts";
export { type BaseChain, type Command, type Element, type Table, Transaction } from "./transaction.ts";
