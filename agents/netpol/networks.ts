import { BlockList, isIP, isIPv6 } from "node:net";
import type { Frozen } from "../../src/apimachinery/meta.ts";
import type { IPBlock } from "../../src/apis/generated/networking/v1.ts";

/** Matches for the blocks, all of one family; `field` is `ip saddr` or the like. Those without exceptions share one. */
export function matchNetworks(blocks: readonly Frozen<IPBlock>[], field: string): string[] {
  const whole = outermost(blocks.filter(({ except }) => !except?.length).map(({ cidr }) => cidr));
  const matches = whole.length ? [`${field} ${whole.length === 1 ? whole[0]! : `{ ${whole.join(", ")} }`}`] : [];
  for (const { cidr, except = [] } of blocks) {
    const [network] = outermost([cidr]);
    if (except.length && network) matches.push([network, ...outermost(except).map((excepted) => `!= ${excepted}`)].map((term) => `${field} ${term}`).join(" "));
  }
  return matches;
}

/** The networks that lie in no other one of them: nft refuses a set whose intervals overlap. What is no network is left out. */
export function outermost(networks: readonly string[]): string[] {
  const kept: string[] = [];
  const covered = new BlockList();
  const parsed = networks.map(parseNetwork).filter((network) => network !== undefined);
  for (const { address, prefix } of parsed.sort((a, b) => a.prefix - b.prefix)) {
    const family = isIPv6(address) ? "ipv6" : "ipv4";
    if (covered.check(address, family)) continue;
    covered.addSubnet(address, prefix, family);
    kept.push(`${address}/${prefix}`);
  }
  return kept;
}

/** Old objects may hold leading zeros, which mean nothing in Kubernetes and octal numbers to nft. */
function parseNetwork(text: string): { address: string; prefix: number } | undefined {
  const [written = "", prefixText = ""] = text.split("/");
  const address = written.includes(":") ? written : written.split(".").map(Number).join(".");
  const prefix = Number(prefixText);
  return isIP(address) && prefixText && prefix >= 0 && prefix <= (isIPv6(address) ? 128 : 32) ? { address, prefix } : undefined;
}
