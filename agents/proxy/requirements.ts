import { type Nftables, NftablesError, type Table, Transaction } from "nftables-js";
import { baseTable } from "./base-table.ts";
import { type FamilyConfig, wordsOf } from "./family.ts";

/** What the rules are made of, in an order in which the first that fails is the cause, and what to say then. */
function probes({ table, family }: FamilyConfig): [sentence: string, probe: Transaction][] {
  const scratch: Table = { ...table, name: `${table.name}-probe` }, { ip, address } = wordsOf(family);
  const empty = (): Transaction => new Transaction(scratch).addTable();
  const nat = (): Transaction => empty().addChain("pre", { type: "nat", hook: "prerouting", priority: -100 }).addChain("post", { type: "nat", hook: "postrouting", priority: 100 });
  const filter = (): Transaction => empty().addChain("filter", { type: "filter", hook: "input", priority: 0 });
  const key = `${ip} daddr . meta l4proto . th dport`;
  return [
    [`the kernel has no nftables for ${family}: it needs CONFIG_NF_TABLES and CONFIG_NF_TABLES_${family.toUpperCase()} (module nf_tables)`, empty()],
    [`the kernel's nftables can't translate addresses of ${family}: it needs CONFIG_NFT_NAT (modules nft_nat and nft_chain_nat)`, nat()],
    ["the kernel's nftables can't masquerade: it needs CONFIG_NFT_MASQ (module nft_masq)", nat().addRule("post", "masquerade fully-random")],
    ["the kernel's nftables knows no connections: it needs CONFIG_NFT_CT (module nft_ct)", filter().addRule("filter", "ct state new accept")],
    ["the kernel's nftables can't reject: it needs CONFIG_NFT_REJECT (module nft_reject)", filter().addRule("filter", "reject")],
    [`the kernel's nftables knows no local addresses: it needs CONFIG_NFT_FIB_${family.toUpperCase()} (module nft_fib)`, filter().addRule("filter", "fib daddr type local accept")],
    ["the kernel's nftables has no random numbers: it needs CONFIG_NFT_NUMGEN (module nft_numgen)", filter().addRule("filter", "numgen random mod 2 vmap { 0 : accept, 1 : accept }")],
    ["nft is too old for maps with several keys: version 1.0.1 or newer is needed", nat().addMap("ends", `typeof ${key} . numgen random mod 65536 : ${ip} daddr . th dport;`).addRule("pre", `dnat ${ip} addr . port to ${key} . numgen random mod 2 map @ends`)],
    [`the kernel's nftables has no sets that remember clients: it needs CONFIG_NF_TABLES with dynamic sets, of kernel 5.6 or newer`, nat().addSet("clients", `type ${address}; flags dynamic,timeout; timeout 60s;`).addRule("pre", `update @clients { ${ip} saddr }`)],
  ];
}

/** One sentence that says what this machine lacks for Services; undefined when it lacks nothing. */
export async function missingRequirement(nft: Nftables, config: FamilyConfig): Promise<string | undefined> {
  const refusal = (transaction: Transaction): Promise<NftablesError | undefined> => nft.check(transaction).then(() => undefined, (error: unknown) => {
    if (error instanceof NftablesError) return error;
    throw error;
  });
  const whole = await refusal(baseTable(config));
  if (!whole) return undefined;
  for (const [sentence, probe] of probes(config)) {
    const refused = await refusal(probe);
    if (refused) return /could not be started/.test(refused.message) ? refused.message : `${sentence} (${refused.message})`;
  }
  return `the rules for Services can't be loaded: ${whole.message}`;
}
