import { forwardChains, type Nftables, type Table } from "nftables-js";
import type { Logger } from "../../src/base/log.ts";

interface ForeignChain {
  table: Table;
  chain: string;
  /** All of its table, as nft prints it. */
  contents: string;
}

/**
 * What to say about a chain of another program that drops what pods send to each other; undefined when it lets them. An accept anywhere
 * else does not help: a packet has to be let through by every table.
 */
function forwardWarning({ table, chain, contents }: ForeignChain, clusterCidrs: readonly string[]): { problem: string; remedy: string } | undefined {
  const cidrs = clusterCidrs.filter((cidr) => (table.family === "inet" ? true : (table.family === "ip6") === cidr.includes(":")));
  const missing = cidrs.filter((cidr) => !contents.includes(cidr));
  if (missing.length === 0) return undefined;
  return { problem: `chain ${chain} of table ${table.family} ${table.name} drops packets between pods, and from pods to elsewhere`, remedy: missing.map((cidr) => remedyFor(table, chain, contents, cidr)).join(" && ") };
}

function remedyFor({ family, name }: Table, chain: string, contents: string, cidr: string): string {
  const iptables = cidr.includes(":") ? "ip6tables" : "iptables", ip = cidr.includes(":") ? "ip6" : "ip";
  if (name === "firewalld") return `firewall-cmd --permanent --zone=trusted --add-source=${cidr} && firewall-cmd --reload`;
  if (contents.includes("ufw-") || contents.includes("ufw6-")) return `ufw route allow from ${cidr} && ufw route allow to ${cidr}`;
  if (name === "filter" && chain === "FORWARD") return `${iptables} -I FORWARD -s ${cidr} -j ACCEPT && ${iptables} -I FORWARD -d ${cidr} -j ACCEPT`;
  return `nft insert rule ${family} ${name} ${chain} ${ip} saddr ${cidr} accept && nft insert rule ${family} ${name} ${chain} ${ip} daddr ${cidr} accept`;
}

/** Whether a chain that accepts by policy ends with a rule that does not, as firewalld's. */
const endsWithRefusal = (rules: readonly string[]): boolean => /^(counter packets \d+ bytes \d+ )?(drop|reject\b.*)$/.test(rules.at(-1) ?? "");

/** Tells once, of each chain of another program, that it keeps pods from each other, and what to do. */
export class ForeignFirewallCheck {
  readonly #told = new Set<string>();

  constructor(private readonly options: { nft: Nftables; ownTables: readonly Table[]; clusterCidrs: readonly string[]; log: Logger }) {}

  async run(): Promise<void> {
    const { nft, ownTables, clusterCidrs, log } = this.options;
    for (const { table, chain, drops } of chainsThere()) {
      const id = `${table.family} ${table.name} ${chain}`;
      if (ownTables.some(({ name }) => table.name === name || table.name.startsWith(`${name}-`))) continue;
      if (!drops && !endsWithRefusal(await nft.listRules(table, chain).catch(() => []))) continue;
      const contents = await nft.listTable(table).catch(() => "");
      const warning = contents && forwardWarning({ table, chain, contents }, clusterCidrs);
      if (!warning) this.#told.delete(id);
      else if (!this.#told.has(id)) {
        this.#told.add(id);
        log.warn(`another program's firewall keeps pods from the network: ${warning.problem}. To let them through: ${warning.remedy}`);
      }
    }
  }
}

function chainsThere(): ReturnType<typeof forwardChains> {
  try {
    return forwardChains();
  } catch {
    return [];
  }
}
