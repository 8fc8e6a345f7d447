import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { FakeNftables, type Nftables, NftablesError, openNftables, Transaction } from "nftables-js";
import { enterNetworkNamespace } from "../support/network-namespace.ts";

const table = { family: "ip", name: "contract" } as const;
const change = () => new Transaction(table);

let leave: () => void;
beforeAll(() => { leave = enterNetworkNamespace(); });
afterAll(() => leave());

const implementations: [string, () => Nftables][] = [
  ["FakeNftables", () => new FakeNftables()],
  ["libnftables", () => openNftables({ via: "library" })],
  ["nft process", () => openNftables({ via: "process" })],
];

describe.each(implementations)("%s", (_, open) => {
  let nft: Nftables;
  beforeEach(async () => {
    nft = open();
    await nft.run(change().addTable().deleteTable().addTable().addChain("target").addChain("other").addMap("verdicts", "type inet_service : verdict;").addMap("addresses", "type inet_service : ipv4_addr;").addSet("hosts", "type ipv4_addr;"));
  });
  const elements = async (name: string) => (await nft.listElements(table, name)).sort((a, b) => a.key.localeCompare(b.key));
  const refused = (transaction: Transaction) => expect(nft.run(transaction)).rejects.toBeInstanceOf(NftablesError);

  test("adds and deletes elements of maps and sets", async () => {
    await nft.run(change().addElements("addresses", [{ key: "80", value: "10.0.0.1" }, { key: "81", value: "10.0.0.2" }]).addElements("hosts", [{ key: "10.0.0.9" }]));
    expect(await elements("addresses")).toEqual([{ key: "80", value: "10.0.0.1" }, { key: "81", value: "10.0.0.2" }]);
    await nft.run(change().deleteElements("addresses", [{ key: "80", value: "10.0.0.1" }]));
    expect(await elements("addresses")).toEqual([{ key: "81", value: "10.0.0.2" }]);
    expect(await elements("hosts")).toEqual([{ key: "10.0.0.9" }]);
  });

  test("replaces a value in one transaction, and refuses to do so silently", async () => {
    await nft.run(change().addElements("addresses", [{ key: "80", value: "10.0.0.1" }]));
    await refused(change().addElements("addresses", [{ key: "80", value: "10.0.0.2" }]));
    await nft.run(change().deleteElements("addresses", [{ key: "80" }]).addElements("addresses", [{ key: "80", value: "10.0.0.2" }]));
    expect(await elements("addresses")).toEqual([{ key: "80", value: "10.0.0.2" }]);
  });

  test("adding what is there changes nothing", async () => {
    const same = () => change().addTable().addChain("target").addElements("hosts", [{ key: "10.0.0.9" }]);
    await nft.run(same());
    await nft.run(same());
    expect(await elements("hosts")).toEqual([{ key: "10.0.0.9" }]);
  });

  test("all or nothing", async () => {
    await refused(change().addElements("hosts", [{ key: "10.0.0.9" }]).addRule("missing", "accept"));
    expect(await elements("hosts")).toEqual([]);
  });

  test("refuses what is missing", async () => {
    await refused(change().deleteElements("hosts", [{ key: "10.0.0.1" }]));
    await refused(change().addElements("nowhere", [{ key: "1" }]));
    await refused(change().deleteChain("nowhere"));
    await refused(change().addElements("verdicts", [{ key: "80", value: "goto nowhere" }]));
    await expect(nft.listElements(table, "nowhere")).rejects.toBeInstanceOf(NftablesError);
    await expect(nft.listRules(table, "nowhere")).rejects.toBeInstanceOf(NftablesError);
  });

  test("a chain with rules, or with a verdict that leads to it, is not deleted", async () => {
    await nft.run(change().addRule("target", "accept").addElements("verdicts", [{ key: "80", value: "goto other" }]));
    await refused(change().deleteChain("other"));
    await nft.run(change().deleteElements("verdicts", [{ key: "80" }]).deleteChain("other").flushChain("target").deleteChain("target"));
    await expect(nft.listRules(table, "target")).rejects.toBeInstanceOf(NftablesError);
  });

  test("rules keep their order", async () => {
    await nft.run(change().addRule("target", "tcp dport 80 accept").addRule("target", "drop"));
    expect(await nft.listRules(table, "target")).toEqual(["tcp dport 80 accept", "drop"]);
  });

  test("check says what run would, and applies nothing", async () => {
    await nft.check(change().addElements("hosts", [{ key: "10.0.0.9" }]));
    expect(await elements("hosts")).toEqual([]);
    await expect(nft.check(change().addRule("missing", "accept"))).rejects.toBeInstanceOf(NftablesError);
  });

  test("a table comes and goes", async () => {
    expect(await nft.hasTable(table)).toBe(true);
    await nft.run(change().deleteTable());
    expect(await nft.hasTable(table)).toBe(false);
    await refused(change().deleteTable());
    await nft.run(change().addTable());
  });

  test("thousands of elements in one transaction", async () => {
    const many = Array.from({ length: 5000 }, (_, i) => ({ key: `10.1.${i >> 8}.${i & 255}` }));
    await nft.run(change().addElements("hosts", many));
    expect((await nft.listElements(table, "hosts")).length).toBe(5000);
    await nft.run(change().deleteElements("hosts", many));
    expect(await nft.listElements(table, "hosts")).toEqual([]);
  });
});
