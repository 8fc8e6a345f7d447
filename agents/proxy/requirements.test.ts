import { expect, test } from "bun:test";
import { FakeNftables, NftablesError, type Transaction } from "nftables-js";
import type { FamilyConfig } from "./family.ts";
import { missingRequirement } from "./requirements.ts";

const config: FamilyConfig = { family: "IPv6", table: { family: "ip6", name: "test" }, clusterCidrs: ["fd00:42::/56"], serviceCidrs: ["fd00:43::/112"], localServiceIps: [], nodePortsEverywhere: false };

/** A machine that refuses what mentions one of these. */
class LackingNftables extends FakeNftables {
  constructor(private readonly lacks: RegExp, private readonly message = "Could not process rule: No such file or directory") {
    super();
  }

  override async check(transaction: Transaction): Promise<void> {
    if (this.lacks.test(transaction.render())) throw new NftablesError(`nftables refused: ${this.message}`, "");
    await super.check(transaction);
  }
}

test.each<[lacks: RegExp, sentence: string]>([
  [/./, "the kernel has no nftables for IPv6: it needs CONFIG_NF_TABLES"],
  [/type nat/, "can't translate addresses of IPv6: it needs CONFIG_NFT_NAT"],
  [/masquerade/, "can't masquerade: it needs CONFIG_NFT_MASQ"],
  [/ct state/, "knows no connections: it needs CONFIG_NFT_CT"],
  [/reject/, "can't reject: it needs CONFIG_NFT_REJECT"],
  [/\bfib\b/, "knows no local addresses: it needs CONFIG_NFT_FIB_IPV6"],
  [/service-ips/, "the rules for Services can't be loaded"],
  [/typeof/, "nft is too old for maps with several keys: version 1.0.1 or newer is needed"],
])("what lacks %p says so in a sentence", async (lacks, sentence) => {
  expect(await missingRequirement(new LackingNftables(lacks), config)).toContain(sentence);
});

test("nft that isn't installed is what is said, and nothing where nothing lacks", async () => {
  expect(await missingRequirement(new LackingNftables(/./, "the program nft could not be started: install the nftables package"), config)).toBe("nftables refused: the program nft could not be started: install the nftables package");
  expect(await missingRequirement(new FakeNftables(), config)).toBeUndefined();
});
