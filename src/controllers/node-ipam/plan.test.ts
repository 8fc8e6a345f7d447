import { describe, expect, test } from "bun:test";
import { nextPodCidr, parseClusterNetworks } from "./plan.ts";

describe("the next network", () => {
  for (const [cluster, taken, last, expected] of [
    ["10.42.0.0/16", [], -1, "10.42.0.0/24"],
    ["10.42.0.0/16", ["10.42.0.0/24", "10.42.2.0/24"], -1, "10.42.1.0/24"],
    ["10.42.0.0/16", ["10.42.0.0/23"], -1, "10.42.2.0/24"],
    ["10.42.0.0/16", ["10.42.0.128/25"], -1, "10.42.1.0/24"],
    ["10.42.0.0/16", ["10.0.0.0/8"], -1, undefined],
    ["10.42.0.0/16", ["192.168.0.0/24"], -1, "10.42.0.0/24"],
    ["10.42.0.0/16", ["10.42.4.0/24"], 3, "10.42.5.0/24"],
    ["10.42.0.0/16", ["10.42.0.0/24"], 255, "10.42.1.0/24"],
    ["200.1.0.0/23", ["200.1.0.0/24", "200.1.1.0/24"], -1, undefined],
    ["10.42.0.0/25", [], -1, undefined],
    ["fd00:42::/56", [], -1, "fd00:42::/64"],
    ["fd00:42::/56", ["fd00:42::/64", "10.42.0.0/24"], 0, "fd00:42:0:1::/64"],
    ["fd00:42::/63", ["fd00:42::/64"], 1, "fd00:42:0:1::/64"],
  ] as const) test(`${cluster} without ${taken.join(" ")} after ${last}`, () => expect(nextPodCidr(parseClusterNetworks(cluster)[0]!, taken, BigInt(last))?.cidr).toBe(expected!));
});

test("a network, or one of each family", () => {
  expect(parseClusterNetworks("10.42.3.4/16, fd00::/48").map(({ family, size }) => [family, size])).toEqual([[4, 256n], [6, 65536n]]);
  for (const text of ["10.42.0.0", "10.42.0.256/16", "10.42.0.0/33", "::ffff:10.0.0.0/104"]) expect(() => parseClusterNetworks(text)).toThrow("is not a network");
  expect(() => parseClusterNetworks("10.42.0.0/16,10.43.0.0/16")).toThrow("two networks of one family");
});
